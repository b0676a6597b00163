package dev.halftone.kernel;

import dev.halftone.torch.Ops;
import org.bytedeco.pytorch.Tensor;

/// Sums of rows whose bits do not depend on the device.
final class AtenSums {
    private AtenSums() {}

    /// The sums of rows, in the order of [dev.halftone.quant.HalvingSum].
    ///
    /// @param v_BG of at least one column
    /// @return `[B, 1]`
    static Tensor halving(Tensor v_BG) {
        Tensor sums_BG = Ops.copy(v_BG);
        for (long n = sums_BG.size(1); n > 1; ) {
            long half = (n + 1) / 2;
            sums_BG.narrow(1, 0, n - half).add_(sums_BG.narrow(1, half, n - half));
            n = half;
        }
        return sums_BG.narrow(1, 0, 1);
    }
}
