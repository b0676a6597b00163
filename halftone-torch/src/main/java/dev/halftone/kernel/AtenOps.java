package dev.halftone.kernel;

import dev.halftone.quant.GradientRule;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/// What several formulas need that is no operator of aten.
final class AtenOps {
    private AtenOps() {}

    /// `[1]`: a tensor rather than a Java number, for on a GPU torch divides by a number by multiplying with its
    /// reciprocal.
    ///
    /// @param like says the dtype and the device
    static Tensor number(Tensor like, double value) {
        return Ops.fill_(Torch.emptyLike(like, Torch.dtype(like), 1), value);
    }

    /// 0 in place of NaN.
    static Tensor withoutNaN(Tensor t) {
        return t.nan_to_num(new DoubleOptional(0), new DoubleOptional(), new DoubleOptional());
    }

    /// Where a gradient passes by a clamp of `t`; not where that is NaN.
    ///
    /// @param rule CLOSED or OPEN
    static Tensor passes(Tensor t, double lowest, double highest, GradientRule rule) {
        Scalar min = new Scalar(lowest);
        Scalar max = new Scalar(highest);
        return switch (rule) {
            case IDENTITY -> throw new IllegalArgumentException("nothing stops under IDENTITY");
            case CLOSED -> t.ge(min).logical_and_(t.le(max));
            case OPEN -> t.gt(min).logical_and_(t.lt(max));
        };
    }
}
