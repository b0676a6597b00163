package dev.halftone.conformance;

import dev.halftone.DType;
import dev.halftone.torch.Torch;
import java.util.Arrays;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// What came of comparing a tensor with the golden one.
///
/// @param difference what is wrong; empty if nothing is
/// @param maxError largest absolute difference, infinite where only one of the two is a number
record Comparison(Optional<String> difference, double maxError) {
    /// Zeros are equal whatever their sign, and NaN equals NaN.
    ///
    /// @param terms sums of the magnitudes of what was added up, where values are sums; null where none is
    static Comparison of(Tensor actual, Tensor expected, @Nullable Tensor terms, Tolerance tolerance) {
        DType dtype = Torch.dtype(expected);
        // A zero point is an integer here, whatever type a library stores it in.
        if (Torch.dtype(actual).isFloat() && Torch.dtype(actual) != dtype) {
            return different("is %s, not %s".formatted(Torch.dtype(actual), dtype));
        }
        if (!Arrays.equals(Torch.shape(actual), Torch.shape(expected))) {
            return different("has the shape %s, not %s"
                    .formatted(Arrays.toString(Torch.shape(actual)), Arrays.toString(Torch.shape(expected))));
        }
        return dtype.isFloat() ? floats(actual, expected, terms, tolerance, dtype) : integers(actual, expected);
    }

    private static Comparison different(String how) {
        return new Comparison(Optional.of(how), Double.POSITIVE_INFINITY);
    }

    private static Comparison floats(
            Tensor actual, Tensor expected, @Nullable Tensor terms, Tolerance tolerance, DType dtype) {
        float[] a = Torch.floats(actual);
        float[] e = Torch.floats(expected);
        float[] t = terms == null ? new float[e.length] : Torch.floats(terms);
        Tally tally = new Tally();
        for (int i = 0; i < e.length; i++) {
            double error = Math.abs((double) a[i] - e[i]);
            boolean same = a[i] == e[i] || (Float.isNaN(a[i]) && Float.isNaN(e[i]));
            tally.add(same ? 0 : Double.isNaN(error) ? Double.POSITIVE_INFINITY : error);
            if (!tolerance.allows(a[i], e[i], t[i], dtype)) {
                tally.differs(i, a[i], e[i]);
            }
        }
        return tally.result();
    }

    private static Comparison integers(Tensor actual, Tensor expected) {
        long[] a = Torch.longs(actual);
        long[] e = Torch.longs(expected);
        Tally tally = new Tally();
        for (int i = 0; i < e.length; i++) {
            tally.add(Math.abs((double) a[i] - e[i]));
            if (a[i] != e[i]) {
                tally.differs(i, a[i], e[i]);
            }
        }
        return tally.result();
    }

    private static final class Tally {
        private long values;
        private long different;
        private double maxError;
        private String first = "";

        void add(double error) {
            values++;
            maxError = Math.max(maxError, error);
        }

        void differs(int index, Object actual, Object expected) {
            if (different++ == 0) {
                first = "first value %d: %s, not %s".formatted(index, actual, expected);
            }
        }

        Comparison result() {
            return new Comparison(
                    different == 0
                            ? Optional.empty()
                            : Optional.of("differs in %d of %d values, by up to %.3g (%s)"
                                    .formatted(different, values, maxError, first)),
                    maxError);
        }
    }
}
