package dev.halftone.qat;

import dev.halftone.DType;
import dev.halftone.kernel.GridKernel;
import dev.halftone.kernel.Quantized;
import dev.halftone.nn.Module;
import dev.halftone.nn.Parameter;
import dev.halftone.quant.GradientRule;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Measures the [LayerHealth] of prepared layers again and again.
///
/// It looks at up to [#SAMPLE_ROWS] rows of a weight, evenly spread and always the same ones, so that a measurement
/// costs a small part of a training step and keeps a byte for each weight of the sample. Where all rows share a scale
/// it looks at all of them.
public final class HealthMonitor implements AutoCloseable {
    private static final int SAMPLE_ROWS = 64;

    private final Map<String, Quantized> last = new HashMap<>();

    /// The health of each prepared layer, whether its fake quantization is switched on yet or not.
    public Map<String, LayerHealth> measure(Module model) {
        Map<String, LayerHealth> health = new LinkedHashMap<>();
        Selection.layers(model).forEach((name, layer) -> {
            WeightFakeQuantizer q = Qat.prepared(layer);
            if (q != null && layer.weight() instanceof Parameter p) {
                try (Scope _ = Scope.open();
                        NoGrad _ = NoGrad.open()) {
                    health.put(name, measure(name, p.adapted(), q));
                }
            }
        });
        return health;
    }

    private LayerHealth measure(String name, Tensor all_NK, WeightFakeQuantizer q) {
        int rows = Math.toIntExact(all_NK.size(0));
        if (rows <= SAMPLE_ROWS || q.kernel(all_NK).grid().wholeTensor()) {
            return measured(name, all_NK, q.kernel(all_NK));
        }
        long[] spread = IntStream.range(0, SAMPLE_ROWS)
                .mapToLong(i -> (long) i * rows / SAMPLE_ROWS)
                .toArray();
        Tensor rows_R = Ops.toDeviceOf(Torch.of(spread, SAMPLE_ROWS), all_NK);
        Tensor w_RK = all_NK.index_select(0, rows_R);
        return measured(name, w_RK, q.kernel(w_RK, rows_R));
    }

    private LayerHealth measured(String name, Tensor w_NK, GridKernel kernel) {
        Quantized now = kernel.quantize(w_NK);
        Tensor w = Ops.to(w_NK, DType.F32);
        double signal = power(w);
        double noise = power(w.sub(Ops.to(kernel.dequantize(now), DType.F32)));
        Tensor ones = Ops.fill_(Ops.copy(w_NK), 1);
        double stopped = share(kernel.gradient(w_NK, ones, GradientRule.CLOSED).eq(ones.sub(ones)));
        Quantized before = last.put(name, owned(now));
        LayerHealth health =
                new LayerHealth(10 * Math.log10(signal / noise), stopped, flipped(now, before), drift(now, before));
        close(before);
        return health;
    }

    private static double flipped(Quantized now, @Nullable Quantized before) {
        return before == null ? Double.NaN : share(now.codes().ne(before.codes()));
    }

    private static double drift(Quantized now, @Nullable Quantized before) {
        if (before == null) {
            return Double.NaN;
        }
        Tensor old = Ops.to(before.scale(), DType.F32);
        Tensor change = Ops.to(now.scale(), DType.F32).sub(old).abs();
        return change.div(old.abs()).nan_to_num().mean().item_double();
    }

    private static double power(Tensor t) {
        return t.mul(t).sum().item_double();
    }

    private static double share(Tensor flags) {
        return flags.sum().item_double() / Math.max(1, flags.numel());
    }

    /// The codes and the scales, out of every scope.
    private static Quantized owned(Quantized q) {
        return new Quantized(Scope.own(q.codes()), Scope.own(q.scale()), null, null);
    }

    private static void close(@Nullable Quantized q) {
        if (q != null) {
            q.codes().close();
            q.scale().close();
        }
    }

    @Override
    public void close() {
        last.values().forEach(HealthMonitor::close);
        last.clear();
    }
}
