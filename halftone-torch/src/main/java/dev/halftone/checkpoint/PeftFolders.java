package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.AtomicFiles;
import dev.halftone.format.Json;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.format.safetensors.SafetensorsWriter;
import dev.halftone.format.safetensors.SafetensorsWriter.Entry;
import dev.halftone.format.safetensors.TensorInfo;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Module;
import dev.halftone.nn.Parameter;
import dev.halftone.peft.Adapters;
import dev.halftone.peft.Lora;
import dev.halftone.peft.LoraSettings;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Adapters as PEFT stores them: `adapter_config.json` and `adapter_model.safetensors`, whose tensors are named
/// `base_model.model.<layer>.lora_A.weight` and so on.
public final class PeftFolders {
    static final String CONFIG = "adapter_config.json";
    static final String WEIGHTS = "adapter_model.safetensors";
    private static final String PREFIX = "base_model.model.";
    private static final String BASE = ".base_layer.weight";
    private static final Pattern TENSOR =
            Pattern.compile(Pattern.quote(PREFIX) + "(.+)\\.(lora_[AB]\\.weight|lora_magnitude_vector)");
    private static final Map<String, String> METADATA = Map.of("format", "pt");

    private PeftFolders() {}

    /// Writes the adapters of a model, whole or not at all; a folder of adapters that is there is replaced.
    ///
    /// @param base the folder that the model was loaded from
    public static void save(Path dir, Module model, Path base) {
        Map<String, Lora> adapters = Adapters.of(model);
        LoraSettings settings = adapters.values().iterator().next().settings();
        AtomicFiles.writeFolder(dir, Files.exists(dir.resolve(CONFIG)), folder -> {
            try (TensorFiles.Source source = new TensorFiles.Source()) {
                List<Entry> entries = new ArrayList<>();
                adapters.forEach((layer, lora) -> lora.parameters()
                        .forEach((name, p) ->
                                entries.add(source.entry(PREFIX + layer + "." + name, p.master(), p.dtype()))));
                SafetensorsWriter.write(folder.resolve(WEIGHTS), METADATA, entries);
            }
            Json.write(folder.resolve(CONFIG), config(settings, targets(model, adapters.keySet()), base));
        });
    }

    private static ObjectNode config(LoraSettings settings, Set<String> targets, Path base) {
        ObjectNode config = Json.object()
                .put("peft_type", "LORA")
                .put("task_type", "CAUSAL_LM")
                .put("base_model_name_or_path", base.toString())
                .put("bias", "none")
                .put("fan_in_fan_out", false)
                .put("inference_mode", true)
                .put("r", settings.rank())
                .put("lora_alpha", settings.alpha())
                .put("lora_dropout", settings.dropout())
                .put("use_rslora", settings.rankStabilized())
                .put("use_dora", settings.dora());
        targets.forEach(config.putArray("target_modules")::add);
        return config;
    }

    /// The last parts of paths where these mean adapted layers only, as PEFT's own files have them, else paths.
    private static Set<String> targets(Module model, Set<String> adapted) {
        Set<String> others = new TreeSet<>();
        model.namedModules().forEach((path, module) -> {
            if (module instanceof Linear && !adapted.contains(path)) {
                others.add(last(path));
            }
        });
        Set<String> targets = new TreeSet<>();
        adapted.forEach(path -> targets.add(others.contains(last(path)) ? path : last(path)));
        return targets;
    }

    private static String last(String path) {
        return path.substring(path.lastIndexOf('.') + 1);
    }

    /// Gives a model the adapters of a folder, in the merged form.
    ///
    /// @return the adapted layers
    /// @throws InputException if the folder is no adapter of linear layers, or one of another model
    public static List<String> attach(Path dir, Module model) {
        ObjectNode config = config(dir);
        LoraSettings settings = new LoraSettings(
                config.path("r").asInt(0),
                config.path("lora_alpha").asDouble(0),
                config.path("use_rslora").asBoolean(false),
                config.path("use_dora").asBoolean(false),
                0,
                LoraSettings.Form.MERGED);
        List<String> layers = Adapters.attach(model, settings, List.copyOf(layers(dir)), 0);
        load(dir, model);
        return layers;
    }

    /// The dtype of an adapter's numbers, which is that of its training.
    public static DType dtype(Path dir) {
        try (SafetensorsFile file = SafetensorsFile.open(dir.resolve(WEIGHTS))) {
            return file.tensors().values().iterator().next().dtype();
        }
    }

    private static Set<String> layers(Path dir) {
        Set<String> layers = new TreeSet<>();
        try (SafetensorsFile file = SafetensorsFile.open(dir.resolve(WEIGHTS))) {
            for (String name : file.tensors().keySet()) {
                Matcher m = TENSOR.matcher(name);
                if (name.endsWith(BASE)) {
                    continue;
                }
                if (!m.matches()) {
                    throw new InputException(
                            "%s: '%s' is no part of a linear layer's adapter. Merge this adapter with PEFT instead."
                                    .formatted(dir.resolve(WEIGHTS), name));
                }
                layers.add(m.group(1));
            }
        }
        return layers;
    }

    /// Refuses what PEFT's adapters may have and ours have not, rather than leave it out silently.
    private static ObjectNode config(Path dir) {
        Path file = dir.resolve(CONFIG);
        ObjectNode config = Json.readObject(file);
        if (!config.path("peft_type").asString("").equals("LORA")) {
            throw refused(file, "peft_type", config);
        }
        if (!config.path("bias").asString("none").equals("none")) {
            throw refused(file, "bias", config);
        }
        for (String key : List.of("rank_pattern", "alpha_pattern", "modules_to_save", "fan_in_fan_out", "lora_bias")) {
            JsonNode value = config.path(key);
            if (value.asBoolean(false) || (value.isContainer() && !value.isEmpty())) {
                throw refused(file, key, config);
            }
        }
        return config;
    }

    private static InputException refused(Path file, String key, JsonNode config) {
        return new InputException("%s: %s is %s, which Halftone has not. Merge this adapter with PEFT instead."
                .formatted(file, key, config.path(key)));
    }

    /// Gives the adapters of a model the values of a folder, which training then begins with.
    ///
    /// @throws InputException if the folder holds adapters of other layers or of another shape
    public static void load(Path dir, Module model) {
        ObjectNode config = config(dir);
        Map<String, Lora> adapters = Adapters.of(model);
        LoraSettings settings = adapters.values().iterator().next().settings();
        require(dir, "r", config.path("r").asInt(0), settings.rank());
        require(dir, "lora_alpha", config.path("lora_alpha").asDouble(0), settings.alpha());
        require(dir, "use_rslora", config.path("use_rslora").asBoolean(false), settings.rankStabilized());
        require(dir, "use_dora", config.path("use_dora").asBoolean(false), settings.dora());
        try (SafetensorsFile file = SafetensorsFile.open(dir.resolve(WEIGHTS));
                Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            int read = copiesOfTheBase(file, adapters.keySet(), model);
            for (Map.Entry<String, Lora> adapter : adapters.entrySet()) {
                for (Map.Entry<String, Parameter> factor :
                        adapter.getValue().parameters().entrySet()) {
                    copy(file, PREFIX + adapter.getKey() + "." + factor.getKey(), factor.getValue(), dir);
                    read++;
                }
            }
            if (read != file.tensors().size()) {
                throw new InputException(
                        "%s adapts more layers than lora_modules names. Set lora_modules to its target_modules."
                                .formatted(dir));
            }
        }
    }

    /// PEFT stores the weights of an adapted head beside its adapter, whether they changed or not.
    ///
    /// @return how many
    /// @throws InputException if they changed
    private static int copiesOfTheBase(SafetensorsFile file, Set<String> layers, Module model) {
        int copies = 0;
        Map<String, Parameter> parameters = model.namedParameters();
        for (String layer : layers) {
            TensorInfo info = file.tensors().get(PREFIX + layer + BASE);
            if (info != null) {
                Parameter weight = parameters.get(layer + ".weight");
                copies++;
                if (weight == null) {
                    // Packed: it differs from the float weights by what quantization took away.
                    continue;
                }
                Tensor ours = weight.master();
                Tensor theirs = Torch.of(file.data(info.name()), info.dtype(), info.shape());
                if (!Arrays.equals(info.shape(), Torch.shape(ours))
                        || !Ops.toDeviceOf(Ops.to(theirs, Torch.dtype(ours)), ours)
                                .equal(ours)) {
                    throw new InputException(
                            "%s: it holds other weights of %s than the model. Merge this adapter with PEFT instead."
                                    .formatted(file.path(), layer));
                }
            }
        }
        return copies;
    }

    private static void copy(SafetensorsFile file, String name, Parameter to, Path dir) {
        TensorInfo info = file.tensors().get(name);
        if (info == null || !Arrays.equals(info.shape(), to.shape())) {
            throw new InputException("%s has no tensor '%s' of the shape %s. Set lora_modules to its target_modules."
                    .formatted(dir, name, Arrays.toString(to.shape())));
        }
        to.master().detach().copy_(Torch.of(file.data(name), info.dtype(), info.shape()));
        to.changed();
    }

    private static void require(Path dir, String key, Object theirs, Object ours) {
        if (!theirs.equals(ours)) {
            throw new InputException("%s: %s is %s, and the run's is %s. Give the run the adapter's own."
                    .formatted(dir.resolve(CONFIG), key, theirs, ours));
        }
    }
}
