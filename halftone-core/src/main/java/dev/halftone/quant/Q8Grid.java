package dev.halftone.quant;

import dev.halftone.DType;
import org.jspecify.annotations.Nullable;

/// What llama.cpp rounds the inputs of products with quantized weights to: blocks of signed bytes under a scale.
///
/// [Q8Oracle] is the arithmetic itself.
///
/// @param dtype type of the values; the arithmetic is in float32 whatever it is
public record Q8Grid(Type type, DType dtype) implements Grid {
    /// The block types of ggml that hold activations.
    public enum Type {
        /// 32 values under a float16 scale, for weights in blocks of 32. Q8_1, which goes with the weights that have a
        /// minimum, has the same values and scales, and their sum.
        Q8_0(32, DType.F16),
        /// 256 values under a float32 scale, for weights in blocks of 256.
        Q8_K(256, DType.F32);

        private final int blockSize;
        private final DType scaleDtype;

        Type(int blockSize, DType scaleDtype) {
            this.blockSize = blockSize;
            this.scaleDtype = scaleDtype;
        }

        /// The one that goes with weights in blocks of this size: `vec_dot_type` in ggml-cpu.c.
        public static Type of(int weightBlockSize) {
            return weightBlockSize == Q8_K.blockSize ? Q8_K : Q8_0;
        }

        /// Values that share a scale.
        public int blockSize() {
            return blockSize;
        }
    }

    @Override
    public Granularity granularity() {
        return new Granularity.PerGroup(type.blockSize);
    }

    @Override
    public boolean affine() {
        return true;
    }

    @Override
    public DType codeDtype() {
        return DType.I8;
    }

    @Override
    public int codeBits() {
        return 8;
    }

    @Override
    public DType scaleDtype() {
        return type.scaleDtype;
    }

    @Override
    public @Nullable DType zeroPointDtype() {
        return null;
    }

    @Override
    public boolean passThrough() {
        return true;
    }

    @Override
    public Oracle oracle() {
        return new Q8Oracle(this);
    }
}
