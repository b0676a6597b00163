package dev.halftone.export;

import dev.halftone.DType;
import dev.halftone.format.onnx.NBits;
import dev.halftone.format.onnx.OnnxGraph;
import dev.halftone.format.onnx.OnnxNode.Attribute;
import dev.halftone.nn.Embedding;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.Weight;
import dev.halftone.qat.QuantizedWeight;
import dev.halftone.quant.Grid;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The weights of a model in a graph, each once, and what computes with them.
///
/// **Quantized** matrices are multiplied by `com.microsoft::MatMulNBits`, which takes the codes ([NBits]),
/// with `accuracy_level` 1: inputs stay in float32. The usual pair of DequantizeLinear and MatMul will not
/// do: as soon as onnxruntime sees int8 codes with a scale a row, or int4 codes in blocks, before a product,
/// it replaces the pair by MatMulNBits of accuracy level 4, which rounds the inputs to 8 bits. Only groups
/// that MatMulNBits does not take have it, over int8 codes in blocks, which onnxruntime leaves as they are.
///
/// **What is in float** keeps its type, and is widened in the graph.
///
/// Names are those of the checkpoint, and beside `weight` there are `weight_scale` and `weight_zero_point`.
final class OnnxWeights {
    static final String SCALE = "_scale";
    static final String ZERO_POINT = "_zero_point";

    private static final Attribute TO_FLOAT = Attribute.of("to", 1);

    private final OnnxGraph graph;
    private final OnnxActivations activations;
    private final IdentityHashMap<Weight, String> names = new IdentityHashMap<>();
    private final Map<String, String> transposed = new HashMap<>();

    OnnxWeights(OnnxGraph graph) {
        this.graph = graph;
        activations = new OnnxActivations(graph);
    }

    /// A vector.
    String vector(String name, Parameter p) {
        String vector = graph.weight(name, p.dtype(), p.shape(), _ -> Torch.memory(p.master()));
        return widened(name, vector, p);
    }

    /// [Linear#forward].
    ///
    /// @param x `[…, K]`
    String product(String path, Linear layer, String x) {
        String y = switch (layer.weight()) {
            case QuantizedWeight w -> quantizedProduct(path, w, staged(path, layer, w, x));
            case Weight w -> graph.node(path, "MatMul", x, transpose(path, widened(path, matrix(path, w), w)));
        };
        Parameter bias = layer.bias();
        return bias == null ? y : graph.node(path, "Add", y, vector(path + ".bias", bias));
    }

    private String staged(String path, Linear layer, QuantizedWeight w, String x) {
        Grid inputs = layer.inputTransform() == null ? null : w.scheme().activations(DType.F32);
        return inputs == null ? x : activations.fakeQuantize(path, inputs, x);
    }

    private String quantizedProduct(String path, QuantizedWeight w, String x) {
        long columns = w.shape()[1];
        Optional<NBits> layout = layout(w);
        String codes = matrix(path, w);
        if (layout.isEmpty()) {
            return graph.node(path, "MatMul", x, transpose(path, dequantized(path, w, parts(codes, w))));
        }
        return graph.contrib(
                path,
                "MatMulNBits",
                List.of(
                        Attribute.of("K", columns),
                        Attribute.of("N", w.shape()[0]),
                        Attribute.of("bits", layout.get().bits()),
                        Attribute.of("block_size", layout.get().block()),
                        Attribute.of("accuracy_level", 1)),
                concat(x, parts(codes, w)));
    }

    /// [Embedding#forward].
    ///
    /// @param ids `[B, S]`
    String rows(String path, Embedding layer, String ids) {
        if (!(layer.weight() instanceof QuantizedWeight w)) {
            String table = matrix(path, layer.weight());
            return widened(path, graph.node(path, "Gather", table, ids), layer.weight());
        }
        String[] rows = parts(matrix(path, w), w);
        for (int i = 0; i < rows.length; i++) {
            rows[i] = graph.node(path, "Gather", rows[i], ids);
        }
        Optional<NBits> layout = layout(w);
        return layout.isEmpty() ? dequantized(path, w, rows) : unpacked(path, layout.get(), w.shape()[1], rows);
    }

    /// The values of rows whose codes are packed.
    ///
    /// @param rows codes `[B, S, blocks, bytes]`, scales `[B, S, blocks]`, zero points `[B, S, bytes]` if
    ///     there are
    private String unpacked(String path, NBits layout, long columns, String... rows) {
        long blocks = columns / layout.block();
        String codes = graph.node(path, "Reshape", codes(path, layout, rows[0]), graph.wholes(0, 0, blocks, -1));
        String zero;
        if (rows.length > 2) {
            String all = graph.node(path, "Reshape", codes(path, layout, rows[2]), graph.wholes(0, 0, -1));
            String some = graph.node(path, "Slice", all, graph.wholes(0), graph.wholes(blocks), graph.wholes(-1));
            zero = graph.node(path, "Unsqueeze", some, graph.wholes(-1));
        } else {
            zero = graph.number((float) layout.middle());
        }
        String scale = graph.node(path, "Unsqueeze", rows[1], graph.wholes(-1));
        String values = graph.node(path, "Mul", graph.node(path, "Sub", codes, zero), scale);
        return graph.node(path, "Reshape", values, graph.wholes(0, 0, columns));
    }

    /// `[…, bytes]` to `[…, bytes, codes in a byte]`, as floats.
    private String codes(String path, NBits layout, String bytes) {
        byte[] shifts = new byte[layout.perByte()];
        for (int i = 0; i < shifts.length; i++) {
            shifts[i] = (byte) (i * layout.bits());
        }
        String shifted = graph.node(
                path,
                "BitShift",
                List.of(new Attribute.Text("direction", "RIGHT")),
                graph.node(path, "Unsqueeze", bytes, graph.wholes(-1)),
                graph.bytes(shifts));
        String low = graph.node(path, "BitwiseAnd", shifted, graph.bytes((byte) ((1 << layout.bits()) - 1)));
        return graph.node(path, "Cast", List.of(TO_FLOAT), low);
    }

    /// The values of int8 codes.
    private String dequantized(String path, QuantizedWeight w, String... parts) {
        int group = w.grid().granularity().groupSize(w.shape()[1]);
        return graph.node(
                path, "DequantizeLinear", List.of(Attribute.of("axis", -1), Attribute.of("block_size", group)), parts);
    }

    private String widened(String path, String value, Weight w) {
        return w.dtype() == DType.F32 ? value : graph.node(path, "Cast", List.of(TO_FLOAT), value);
    }

    private String transpose(String path, String matrix) {
        return transposed.computeIfAbsent(
                matrix, m -> graph.node(path, "Transpose", List.of(new Attribute.Wholes("perm", 1, 0)), m));
    }

    private static String[] concat(String x, String... parts) {
        String[] all = new String[parts.length + 1];
        all[0] = x;
        System.arraycopy(parts, 0, all, 1, parts.length);
        return all;
    }

    private static Optional<NBits> layout(QuantizedWeight w) {
        return NBits.of(w.grid(), Math.toIntExact(w.shape()[1]));
    }

    /// Codes, scales and, where there are any, zero points.
    private static String[] parts(String codes, QuantizedWeight w) {
        return w.quantized().zeroPoint() == null
                ? new String[] {codes, codes + SCALE}
                : new String[] {codes, codes + SCALE, codes + ZERO_POINT};
    }

    /// The constant with a matrix, which is added when it is first asked for.
    private String matrix(String path, Weight w) {
        String known = names.get(w);
        if (known != null) {
            return known;
        }
        String name = path + ".weight";
        names.put(w, name);
        switch (w) {
            case QuantizedWeight q -> add(name, q);
            case Parameter p -> {
                long rows = p.shape()[0];
                graph.weight(name, p.dtype(), p.shape(), r -> {
                    MemorySegment all = Torch.memory(p.master());
                    return all.asSlice(r * (all.byteSize() / rows), all.byteSize() / rows);
                });
            }
            default -> throw new IllegalArgumentException("an artifact has no weights of " + w.getClass());
        }
        return name;
    }

    private void add(String name, QuantizedWeight w) {
        int columns = Math.toIntExact(w.shape()[1]);
        int groups = columns / w.grid().granularity().groupSize(columns);
        NBits layout = layout(w).orElse(null);
        int blocks = layout == null ? groups : columns / layout.block();
        long n = w.shape()[0];
        Tensor codes = w.quantized().codes();
        Tensor zeroPoint = w.quantized().zeroPoint();
        graph.weight(
                name,
                layout == null ? DType.I8 : DType.U8,
                layout == null ? w.shape() : new long[] {n, blocks, layout.bytes(layout.block())},
                r -> bytes(Torch.memory(codes).asSlice(r * columns, columns), 1, layout));
        graph.weight(
                name + SCALE,
                DType.F32,
                new long[] {n, blocks},
                r -> scales(w.quantized().scale(), r, blocks));
        if (zeroPoint != null) {
            graph.weight(
                    name + ZERO_POINT,
                    layout == null ? DType.I8 : DType.U8,
                    new long[] {n, layout == null ? blocks : layout.bytes(blocks)},
                    r -> bytes(Torch.memory(zeroPoint).asSlice(r * groups, groups), blocks / groups, layout));
        }
    }

    /// A row of codes or zero points, each `times` times.
    private static MemorySegment bytes(MemorySegment row, int times, @Nullable NBits layout) {
        byte[] all = new byte[Math.toIntExact(row.byteSize()) * times];
        for (int i = 0; i < all.length; i++) {
            all[i] = row.get(ValueLayout.JAVA_BYTE, i / times);
        }
        return MemorySegment.ofArray(layout == null ? all : layout.pack(all));
    }

    private static MemorySegment scales(Tensor scale_NG, long r, int blocks) {
        try (Scope _ = Scope.open()) {
            float[] row = Torch.floats(scale_NG.narrow(0, r, 1));
            float[] all = new float[blocks];
            for (int i = 0; i < all.length; i++) {
                all[i] = row[i / (blocks / row.length)];
            }
            return OnnxGraph.row(all);
        }
    }
}
