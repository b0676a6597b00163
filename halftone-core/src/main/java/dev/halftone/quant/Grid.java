package dev.halftone.quant;

import dev.halftone.DType;
import org.jspecify.annotations.Nullable;

/// What blocks of values are mapped to: one side of a [QuantScheme], its weights or its activations, for tensors of
/// one dtype. A block is a run of neighbours along the last dimension that share a scale.
///
/// A grid is data. [#oracle()] is its arithmetic, in plain Java; kernels compute the same bits faster. A closed
/// family: the compiler names every place that a new grid has to fill.
public sealed interface Grid
        permits IntxGrid,
                LearnedGrid,
                Int4Grid,
                CompressedIntGrid,
                GgufGrid,
                Q8Grid,
                MxGrid,
                Nvfp4Grid,
                AmaxGrid,
                ChainedGrid,
                StaticGrid {
    /// Type of the values.
    DType dtype();

    /// Which neighbours share a scale.
    Granularity granularity();

    /// Type that codes are stored in, one a byte: I8 where they are signed, U8 else.
    DType codeDtype();

    /// Bits of a code.
    int codeBits();

    /// Type that scales are stored in.
    DType scaleDtype();

    /// Type that zero points (or minima) are stored in; null where the grid has none.
    @Nullable
    DType zeroPointDtype();

    /// Whether scales are scaled by a number that all values of a tensor share ([Oracle.Codes#tensorScale]):
    /// its parts cannot be quantized one by one. Nor can those of a tensor that has a single scale
    /// ([Granularity.PerTensor]).
    default boolean wholeTensor() {
        return false;
    }

    /// Whether a code stands for itself, less a whole zero point where the grid has one, times the scale.
    default boolean affine() {
        return false;
    }

    /// Whether the library that the grid mirrors passes gradients by all clamps: every [GradientRule] is then
    /// IDENTITY.
    default boolean passThrough() {
        return false;
    }

    /// The arithmetic.
    Oracle oracle();
}
