package dev.halftone.kernel;

import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// A tensor as codes and scales.
///
/// @param codes of the shape of what was quantized, in the grid's code dtype
/// @param scale `[…, K / group]` in the grid's scale dtype; `[1, 1]` where the whole tensor shares one
/// @param zeroPoint of the shape of `scale`, in the grid's zero point dtype; null where it has none
/// @param tensorScale float32 `[1]`, what the scales themselves are scaled by; null where the grid has no such scale
public record Quantized(
        Tensor codes,
        Tensor scale,
        @Nullable Tensor zeroPoint,
        @Nullable Tensor tensorScale) {
    /// The tensors that there are.
    public List<Tensor> parts() {
        return Stream.of(codes, scale, zeroPoint, tensorScale)
                .filter(Objects::nonNull)
                .map(Objects::requireNonNull)
                .toList();
    }
}
