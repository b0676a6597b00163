package dev.halftone.peft;

import dev.halftone.InputException;
import dev.halftone.nn.Embedding;
import dev.halftone.nn.FrozenWeight;
import dev.halftone.nn.Globs;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Module;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.Weight;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Low-rank adapters on the linear layers of any module tree.
///
/// ```java
/// Adapters.attach(model, settings, List.of("*_proj"), 1);   // the weights are frozen, the factors are trained
/// train(model);
/// Adapters.merge(model);                                    // the deltas are part of the weights
/// ```
public final class Adapters {
    private Adapters() {}

    /// Puts a new adapter on each layer that a glob matches, and freezes all other parameters.
    ///
    /// The first factor is uniform in `±1/√K`, as torchtune and PEFT draw it, from a generator that the seed and
    /// the layer's place decide; the second is zero, so that training begins with the model as it is.
    ///
    /// @param globs over the paths of linear layers; `*` stands for any characters
    /// @return the layers, in the order of the tree
    /// @throws InputException if a glob matches nothing, or a layer cannot be adapted
    public static List<String> attach(Module model, LoraSettings settings, List<String> globs, long seed) {
        Map<String, Linear> layers = select(model, globs);
        model.namedParameters().values().forEach(p -> p.setTrainable(false));
        int place = 0;
        for (Map.Entry<String, Linear> layer : layers.entrySet()) {
            Weight w = weight(layer.getKey(), layer.getValue(), model);
            SplittableRandom random = new SplittableRandom(seed * 1_000_003 + place++);
            int k = Math.toIntExact(w.shape()[1]);
            float bound = (float) (1 / Math.sqrt(k));
            float[] a = new float[settings.rank() * k];
            for (int i = 0; i < a.length; i++) {
                a[i] = (random.nextFloat() * 2 - 1) * bound;
            }
            float[] b = new float[Math.toIntExact(w.shape()[0] * settings.rank())];
            try (Scope _ = Scope.open()) {
                put(
                        layer.getValue(),
                        settings,
                        Torch.of(a, settings.rank(), k),
                        Torch.of(b, w.shape()[0], settings.rank()),
                        settings.dora() ? Lora.norms(w.adapted()).squeeze(-1) : null);
            }
        }
        return List.copyOf(layers.keySet());
    }

    /// The adapters of a model, by the layers that have them.
    public static Map<String, Lora> of(Module model) {
        Map<String, Lora> adapters = new LinkedHashMap<>();
        linears(model).forEach((name, linear) -> {
            if (linear.weight().adapter() instanceof Lora lora) {
                adapters.put(name, lora);
            }
        });
        return adapters;
    }

    /// Adds every delta to its weight. The model then has no adapters, and computes what it computed with those in
    /// the MERGED form. Weights that stay packed cannot take a delta up: each product adds it from then on.
    public static void merge(Module model) {
        linears(model).values().forEach(linear -> {
            if (linear.weight() instanceof Parameter p && p.adapter() instanceof Lora lora) {
                try (Scope _ = Scope.open();
                        NoGrad _ = NoGrad.open()) {
                    p.master().detach().copy_(p.adapted());
                }
                p.setAdapter(null);
                lora.parameters().values().forEach(Parameter::close);
                linear.setBranch(null);
                p.changed();
            } else if (linear.weight() instanceof FrozenWeight w && w.adapter() instanceof Lora lora) {
                w.setAdapter(lora.merged());
                linear.setBranch(null);
            }
        });
    }

    private static void put(
            Linear linear, LoraSettings settings, Tensor a_RK, Tensor b_NR, @Nullable Tensor magnitude_N) {
        Lora lora = new Lora(settings, linear.weight(), a_RK, b_NR, magnitude_N);
        if (linear.weight() instanceof FrozenWeight frozen) {
            frozen.setAdapter(lora);
        } else {
            ((Parameter) linear.weight()).setAdapter(lora);
        }
        if (settings.form() == LoraSettings.Form.SEPARATE) {
            linear.setBranch(lora::branch);
        }
    }

    private static Weight weight(String name, Linear linear, Module model) {
        Weight w = linear.weight();
        if (!(w instanceof Parameter || w instanceof FrozenWeight)) {
            throw new InputException("%s is quantized. Give a checkpoint_dir with a model in float.".formatted(name));
        }
        boolean tied = model.namedModules().values().stream()
                .anyMatch(m -> m instanceof Embedding e && e.weight().equals(w));
        if (tied) {
            throw new InputException(
                    "%s shares its weight with the embedding, which an adapter would change too. Leave it out of lora_modules."
                            .formatted(name));
        }
        if (w.adapter() != null) {
            throw new InputException("%s has an adapter already. Merge it first.".formatted(name));
        }
        return w;
    }

    private static Map<String, Linear> select(Module model, List<String> globs) {
        Map<String, Linear> all = linears(model);
        Map<String, Linear> chosen = new LinkedHashMap<>();
        List<Pattern> patterns = new ArrayList<>();
        for (String glob : globs) {
            Pattern pattern = Globs.pattern(glob);
            if (all.keySet().stream().noneMatch(name -> pattern.matcher(name).matches())) {
                throw new InputException(
                        "lora_modules: '%s' matches no linear layer. Layers have names like %s; * stands for any characters."
                                .formatted(
                                        glob, all.keySet().stream().findFirst().orElse("none")));
            }
            patterns.add(pattern);
        }
        all.forEach((name, linear) -> {
            if (patterns.stream().anyMatch(p -> p.matcher(name).matches())) {
                chosen.put(name, linear);
            }
        });
        return chosen;
    }

    private static Map<String, Linear> linears(Module model) {
        Map<String, Linear> layers = new LinkedHashMap<>();
        model.namedModules().forEach((name, module) -> {
            if (module instanceof Linear linear) {
                layers.put(name, linear);
            }
        });
        return layers;
    }
}
