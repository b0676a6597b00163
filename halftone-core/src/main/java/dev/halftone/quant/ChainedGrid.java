package dev.halftone.quant;

import dev.halftone.DType;
import org.jspecify.annotations.Nullable;

/// Values that are mapped to one grid and back, and then to another: what torchao trains as int4 weights
/// beside float8 activations. Codes and scales are those of the second grid.
///
/// @param first on the same dtype as `second`
public record ChainedGrid(Grid first, Grid second) implements Grid {
    public ChainedGrid {
        if (first.dtype() != second.dtype()) {
            throw new IllegalArgumentException(first + " and " + second + " are for different dtypes");
        }
    }

    @Override
    public DType dtype() {
        return second.dtype();
    }

    @Override
    public Granularity granularity() {
        return second.granularity();
    }

    @Override
    public DType codeDtype() {
        return second.codeDtype();
    }

    @Override
    public int codeBits() {
        return second.codeBits();
    }

    @Override
    public DType scaleDtype() {
        return second.scaleDtype();
    }

    @Override
    public @Nullable DType zeroPointDtype() {
        return second.zeroPointDtype();
    }

    @Override
    public Oracle oracle() {
        return new Chain(first.oracle(), second.oracle());
    }

    /// Its arithmetic.
    private record Chain(Oracle first, Oracle second) implements Oracle {
        @Override
        public Codes quantize(float[] x, int columns) {
            return second.quantize(first.fakeQuantize(x, columns), columns);
        }

        @Override
        public float[] dequantize(Codes codes, int columns) {
            return second.dequantize(codes, columns);
        }

        @Override
        public float[] gradient(float[] x, float[] upstream, int columns, GradientRule rule) {
            float[] between = first.fakeQuantize(x, columns);
            return first.gradient(x, second.gradient(between, upstream, columns, rule), columns, rule);
        }
    }
}
