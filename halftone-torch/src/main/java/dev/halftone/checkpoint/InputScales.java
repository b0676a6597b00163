package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.quant.InputScale;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Predicate;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The scales of static activations as tensors, under compressed-tensors' names: `<layer>.input_scale` (float32 `[1]`)
/// and `<layer>.input_zero_point` (int8 `[1]`).
public final class InputScales {
    static final String SCALE = ".input_scale";
    static final String ZERO_POINT = ".input_zero_point";

    private InputScales() {}

    /// The tensors of a step checkpoint, where both stand for every layer.
    ///
    /// @param scales by layer; null, a scale that is not found yet, becomes NaN
    public static Map<String, Tensor> tensors(Map<String, @Nullable InputScale> scales) {
        return tensors(scales, _ -> true);
    }

    /// @param zeroPoints whether a layer's inputs have a zero point
    static Map<String, Tensor> tensors(Map<String, @Nullable InputScale> scales, Predicate<String> zeroPoints) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        scales.forEach((layer, scale) -> {
            InputScale s = scale == null ? new InputScale(Float.NaN, 0) : scale;
            tensors.put(layer + SCALE, Torch.of(new float[] {s.scale()}, 1));
            if (zeroPoints.test(layer)) {
                try (Scope scope = Scope.open()) {
                    Tensor zero = Torch.of(new long[] {s.zeroPoint()}, 1);
                    tensors.put(layer + ZERO_POINT, scope.keep(Ops.to(zero, DType.I8)));
                }
            }
        });
        return tensors;
    }

    /// The scales of a step checkpoint's tensors.
    ///
    /// @param layers with static activations
    /// @param tensors as [#tensors] makes them
    public static Map<String, @Nullable InputScale> scales(Iterable<String> layers, Map<String, Tensor> tensors) {
        Map<String, @Nullable InputScale> scales = new LinkedHashMap<>();
        for (String layer : layers) {
            float scale = Torch.floats(Objects.requireNonNull(tensors.get(layer + SCALE)))[0];
            long zero = Torch.longs(Objects.requireNonNull(tensors.get(layer + ZERO_POINT)))[0];
            scales.put(layer, Float.isNaN(scale) ? null : new InputScale(scale, Math.toIntExact(zero)));
        }
        return scales;
    }
}
