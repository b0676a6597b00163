package dev.halftone.qat;

import dev.halftone.InputException;
import dev.halftone.kernel.GgufMatrix;
import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.SpareNotes;
import dev.halftone.kernel.StraightThrough;
import dev.halftone.nn.ActivationTransform;
import dev.halftone.nn.FrozenWeight;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Module;
import dev.halftone.nn.Weight;
import dev.halftone.quant.GgufScheme;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Q8Grid;
import dev.halftone.torch.Torch;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;

/// Inputs of layers whose weights lie in GGUF's blocks, rounded as llama.cpp does it on a CPU: for models that were
/// loaded with inputs in float, because their file says nothing of them or their artifact was trained so.
public final class GgufActivations {
    private GgufActivations() {}

    /// Gives these layers the [Q8Grid] that goes with their blocks. Layers in float keep their inputs.
    ///
    /// @throws InputException if there is no such layer
    public static void quantize(Module model) {
        // Layers whose inputs are mapped alike share the work.
        Map<Q8Grid.Type, ActivationTransform> stages = new EnumMap<>(Q8Grid.Type.class);
        Selection.layers(model).values().forEach(layer -> {
            if (layer instanceof Linear linear) {
                blockSize(linear.weight())
                        .map(Q8Grid.Type::of)
                        .ifPresent(type -> linear.setInputTransform(stages.computeIfAbsent(type, Stage::new)));
            }
        });
        if (stages.isEmpty()) {
            throw new InputException("int8_activations: no layer of this model lies in GGUF's blocks, so llama.cpp"
                    + " would round no inputs. Leave it out.");
        }
    }

    private static Optional<Integer> blockSize(Weight weight) {
        return switch (weight) {
            case QuantizedWeight w
            when w.scheme() instanceof GgufScheme s -> Optional.of(s.lattice().blockSize());
            case FrozenWeight w
            when w.matrix() instanceof GgufMatrix m -> Optional.of(m.type().blockSize());
            default -> Optional.empty();
        };
    }

    private record Stage(Q8Grid.Type type) implements ActivationTransform {
        @Override
        public boolean active() {
            return true;
        }

        @Override
        public Tensor forward(Tensor x) {
            Grid grid = new Q8Grid(type, Torch.dtype(x));
            return StraightThrough.fakeQuantize(x, GradientRule.IDENTITY, Kernels.of(null, grid, x), new SpareNotes());
        }
    }
}
