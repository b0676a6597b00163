package dev.halftone.qat;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.SpareNotes;
import dev.halftone.kernel.StraightThrough;
import dev.halftone.nn.ActivationTransform;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import dev.halftone.quant.InputScale;
import dev.halftone.quant.QuantScheme;
import dev.halftone.quant.StaticGrid;
import dev.halftone.torch.Torch;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Inputs are mapped to the scheme's grid and back: by scales that are chosen for each input, or, where the scheme has
/// static activations, by one that [InputCalibration] found.
///
/// In training, after `convert` and in post-training quantization alike: a runtime that multiplies the codes
/// computes the same product. The arithmetic is in the dtype in which the activation arrives. All layers of a
/// plan with one scheme, and one static scale, hold one and the same object, so that
/// [dev.halftone.nn.Linear#forwardAll] can see that its
/// layers share the work.
public final class ActivationFakeQuantizer implements ActivationTransform {
    private final QuantScheme scheme;
    private final GradientRule rule;
    private final @Nullable Kernels kernels;
    private final @Nullable InputScale scale;
    private final SpareNotes spare = new SpareNotes();
    private boolean active = true;

    /// @param scheme one that quantizes activations
    /// @param scale null where it is chosen for each input, or not found yet
    public ActivationFakeQuantizer(
            QuantScheme scheme, GradientRule rule, @Nullable Kernels kernels, @Nullable InputScale scale) {
        this.scheme = scheme;
        this.rule = rule;
        this.kernels = kernels;
        this.scale = scale;
    }

    QuantScheme scheme() {
        return scheme;
    }

    @Nullable
    InputScale scale() {
        return scale;
    }

    /// The same with this scale, switched on or off as this is.
    ActivationFakeQuantizer with(@Nullable InputScale found) {
        ActivationFakeQuantizer other = new ActivationFakeQuantizer(scheme, rule, kernels, found);
        other.active = active;
        return other;
    }

    /// Whether another does the same to every input.
    boolean alike(ActivationFakeQuantizer other) {
        return Objects.equals(scheme.activations(DType.F32), other.scheme.activations(DType.F32))
                && scheme.staticActivations() == other.scheme.staticActivations()
                && rule == other.rule
                && Objects.equals(scale, other.scale);
    }

    @Override
    public boolean active() {
        return active;
    }

    public void setActive(boolean active) {
        this.active = active;
    }

    @Override
    public Tensor forward(Tensor x) {
        Grid grid = grid(Torch.dtype(x));
        return StraightThrough.fakeQuantize(x, rule, Kernels.of(kernels, grid, x), spare);
    }

    private Grid grid(DType dtype) {
        Grid numbers = Objects.requireNonNull(scheme.activations(dtype));
        if (!scheme.staticActivations()) {
            return numbers;
        }
        if (scale == null) {
            throw new InputException(
                    "%s has static activations, and their scales are not known. Call InputCalibration.run first."
                            .formatted(scheme.label()));
        }
        return new StaticGrid(numbers, scale);
    }
}
