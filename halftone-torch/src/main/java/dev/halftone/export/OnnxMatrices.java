package dev.halftone.export;

import dev.halftone.DType;
import dev.halftone.format.onnx.NBits;
import dev.halftone.format.onnx.OnnxGraph;
import dev.halftone.format.onnx.OnnxSchemes;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.Weight;
import dev.halftone.qat.QuantizedWeight;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The matrices of a model among the constants of a graph, each added once, when it is first asked for.
///
/// Names are those of the checkpoint, and beside `weight` there are `weight_scale` and `weight_zero_point`
/// (whole numbers) or `weight_minimum` (float32, a group each).
final class OnnxMatrices {
    private static final String SCALE = "_scale";
    private static final String ZERO_POINT = "_zero_point";
    private static final String MINIMUM = "_minimum";

    private final OnnxGraph graph;
    private final IdentityHashMap<Weight, String> names = new IdentityHashMap<>();

    OnnxMatrices(OnnxGraph graph) {
        this.graph = graph;
    }

    /// What a quantized weight is made of.
    ///
    /// @param layout null where each code has a byte
    /// @param operands names of codes, scales and, where there are any, whole zero points
    /// @param minimum name of what is added to the values of each group `[N, groups]`; null where nothing is
    record Quantized(
            @Nullable NBits layout,
            List<String> operands,
            @Nullable String minimum) {}

    /// A matrix in float, in its own type.
    String floats(String path, Parameter p) {
        return names.computeIfAbsent(p, _ -> {
            long rows = p.shape()[0];
            return graph.weight(path + ".weight", p.dtype(), p.shape(), r -> {
                MemorySegment all = Torch.memory(p.master());
                return all.asSlice(r * (all.byteSize() / rows), all.byteSize() / rows);
            });
        });
    }

    Quantized quantized(String path, QuantizedWeight w) {
        NBits layout = NBits.of(w.grid(), Math.toIntExact(w.shape()[1])).orElse(null);
        boolean first = !names.containsKey(w);
        String name = names.computeIfAbsent(w, _ -> path + ".weight");
        if (first) {
            add(name, w, layout);
        }
        List<String> operands = new ArrayList<>(List.of(name, name + SCALE));
        boolean minimum = hasMinimum(w);
        if (w.matrix().zeroPoint() != null && !minimum) {
            operands.add(name + ZERO_POINT);
        }
        return new Quantized(layout, operands, minimum ? name + MINIMUM : null);
    }

    /// Whether what stands beside its scales is no whole zero point.
    private static boolean hasMinimum(QuantizedWeight w) {
        return w.matrix().zeroPoint() != null && !w.grid().affine();
    }

    private void add(String name, QuantizedWeight w, @Nullable NBits layout) {
        int columns = Math.toIntExact(w.shape()[1]);
        int groups = columns / w.grid().granularity().groupSize(columns);
        int blocks = layout == null ? groups : columns / layout.block();
        int middle = OnnxSchemes.middle(w.grid());
        long n = w.shape()[0];
        DType stored = layout == null ? DType.I8 : DType.U8;
        Tensor zeroPoint = w.matrix().zeroPoint();
        graph.weight(
                name, stored, layout == null ? w.shape() : new long[] {n, blocks, layout.bytes(layout.block())}, r -> {
                    try (Scope _ = Scope.open()) {
                        return bytes(w.matrix().quantized(r, 1).codes(), 0, 1, middle, layout);
                    }
                });
        graph.weight(
                name + SCALE,
                DType.F32,
                new long[] {n, blocks},
                r -> floats(w.matrix().scale(), r, blocks / groups));
        if (zeroPoint == null) {
            return;
        }
        if (hasMinimum(w)) {
            graph.weight(name + MINIMUM, DType.F32, new long[] {n, groups}, r -> floats(zeroPoint, r, 1));
        } else {
            graph.weight(
                    name + ZERO_POINT,
                    stored,
                    new long[] {n, layout == null ? blocks : layout.bytes(blocks)},
                    r -> bytes(zeroPoint, r, blocks / groups, 0, layout));
        }
    }

    /// A row of codes or zero points, less `middle`, each `times` times.
    private static MemorySegment bytes(Tensor t, long r, int times, int middle, @Nullable NBits layout) {
        long columns = t.size(1);
        MemorySegment row = Torch.memory(t).asSlice(r * columns, columns);
        byte[] all = new byte[Math.toIntExact(columns) * times];
        for (int i = 0; i < all.length; i++) {
            all[i] = (byte) (row.get(ValueLayout.JAVA_BYTE, i / times) - middle);
        }
        return MemorySegment.ofArray(layout == null ? all : layout.pack(all));
    }

    /// A row of scales or minima, each `times` times.
    private static MemorySegment floats(Tensor t, long r, int times) {
        try (Scope _ = Scope.open()) {
            float[] row = Torch.floats(t.narrow(0, r, 1));
            float[] all = new float[row.length * times];
            for (int i = 0; i < all.length; i++) {
                all[i] = row[i / times];
            }
            return OnnxGraph.row(all);
        }
    }
}
