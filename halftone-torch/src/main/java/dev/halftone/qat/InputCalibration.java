package dev.halftone.qat;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.nn.ActivationTransform;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Module;
import dev.halftone.quant.Calibration;
import dev.halftone.quant.Grid;
import dev.halftone.quant.InputScale;
import dev.halftone.quant.QuantScheme;
import dev.halftone.quant.RangeObserver;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Static activations: one scale and zero point for the inputs of each linear layer, found from inputs that it sees,
/// then fixed.
///
/// ```java
/// Qat.prepare(model, plan);
/// InputCalibration.run(model, Calibration.MINMAX, () -> model.hidden(tokens));
/// ```
///
/// Layers that see the same inputs find the same scale and from then on share one stage, whose work
/// [Linear#forwardAll] does once.
public final class InputCalibration {
    /// Lets inputs through and looks at them.
    private static final class Observer implements ActivationTransform {
        private final RangeObserver range;
        private @Nullable DType dtype;

        Observer(Calibration how) {
            range = new RangeObserver(how);
        }

        @Override
        public boolean active() {
            return true;
        }

        @Override
        public Tensor forward(Tensor x) {
            dtype = Torch.dtype(x);
            range.observe(Torch.floats(x));
            return x;
        }

        InputScale scale(String layer, QuantScheme scheme) {
            if (dtype == null || range.seen() == 0) {
                throw new InputException(
                        "calibration: no input reached %s. Run the whole model over some text, or exclude it."
                                .formatted(layer));
            }
            if (!range.finite()) {
                throw new RunException(
                        "calibration: an input of %s is infinite or no number. Use dtype=fp32, or another model."
                                .formatted(layer));
            }
            return range.scale(grid(scheme, dtype), grid(scheme, DType.F32));
        }

        private static Grid grid(QuantScheme scheme, DType dtype) {
            return Objects.requireNonNull(scheme.activations(dtype));
        }
    }

    private InputCalibration() {}

    /// Whether there is a layer with static activations whose scale is not known yet.
    public static boolean missing(Module model) {
        return stages(model).values().stream().anyMatch(stage -> stage.scale() == null);
    }

    /// Finds the scales of all static activations, of those that are known anew. Meanwhile nothing else is
    /// fake-quantized: the inputs are those of the float model, as in ModelOpt's calibration.
    ///
    /// @param passes runs the model over some data, once or many times
    /// @return the layers
    /// @throws InputException if no input reaches a layer
    /// @throws RunException if an input is not finite
    public static List<String> run(Module model, Calibration how, Runnable passes) {
        Map<String, Linear> layers = layers(model);
        Map<String, ActivationFakeQuantizer> stages = stages(model);
        Map<String, Observer> observers = new LinkedHashMap<>();
        boolean active = Qat.activeShare(model) > 0;
        Qat.setActive(model, false);
        stages.keySet().forEach(name -> {
            Observer observer = new Observer(how);
            observers.put(name, observer);
            Objects.requireNonNull(layers.get(name)).setInputTransform(observer);
        });
        try (NoGrad _ = NoGrad.open()) {
            passes.run();
        } finally {
            stages.forEach(
                    (name, stage) -> Objects.requireNonNull(layers.get(name)).setInputTransform(stage));
            Qat.setActive(model, active);
        }
        Map<String, InputScale> scales = new LinkedHashMap<>();
        stages.forEach((name, stage) ->
                scales.put(name, Objects.requireNonNull(observers.get(name)).scale(name, stage.scheme())));
        restore(model, scales);
        return List.copyOf(scales.keySet());
    }

    /// The layers with static activations, in the order of the tree, with the scales that are known.
    public static Map<String, @Nullable InputScale> scales(Module model) {
        Map<String, @Nullable InputScale> scales = new LinkedHashMap<>();
        stages(model).forEach((name, stage) -> scales.put(name, stage.scale()));
        return scales;
    }

    /// Sets the scales of all static activations.
    ///
    /// @param scales of each layer that has some; null where it is to be found yet
    /// @throws InputException if a layer is missing
    public static void restore(Module model, Map<String, ? extends @Nullable InputScale> scales) {
        Map<String, Linear> layers = layers(model);
        List<ActivationFakeQuantizer> shared = new ArrayList<>();
        stages(model).forEach((name, stage) -> {
            if (!scales.containsKey(name)) {
                throw new InputException(
                        "%s has static activations, and no scale of its inputs was stored. Quantize the float model again."
                                .formatted(name));
            }
            ActivationFakeQuantizer its = stage.with(scales.get(name));
            ActivationFakeQuantizer one =
                    shared.stream().filter(its::alike).findFirst().orElse(its);
            shared.add(one);
            Objects.requireNonNull(layers.get(name)).setInputTransform(one);
        });
    }

    private static Map<String, Linear> layers(Module model) {
        Map<String, Linear> layers = new LinkedHashMap<>();
        Selection.layers(model).forEach((name, layer) -> {
            if (layer instanceof Linear linear) {
                layers.put(name, linear);
            }
        });
        return layers;
    }

    private static Map<String, ActivationFakeQuantizer> stages(Module model) {
        Map<String, ActivationFakeQuantizer> stages = new LinkedHashMap<>();
        layers(model).forEach((name, linear) -> {
            if (linear.inputTransform() instanceof ActivationFakeQuantizer stage
                    && stage.scheme().staticActivations()) {
                stages.put(name, stage);
            }
        });
        return stages;
    }
}
