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
import dev.halftone.quant.InputScale;
import dev.halftone.torch.Torch;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// The weights of a model in a graph, each once, and what computes with them.
///
/// **Quantized** matrices are multiplied by `com.microsoft::MatMulNBits`, which takes the codes ([NBits]),
/// with `accuracy_level` 1: inputs stay in float32. The usual pair of DequantizeLinear and MatMul will not
/// do: as soon as onnxruntime sees int8 codes with a scale a row, or int4 codes in blocks, before a product,
/// it replaces the pair by MatMulNBits of accuracy level 4, which rounds the inputs to 8 bits. Only groups
/// that MatMulNBits does not take have it, over int8 codes in blocks, which onnxruntime leaves as they are.
///
/// **Minima** of groups, which codes times scales are added to, are multiplied by the sum of the inputs of
/// each group: `Σ x·(q·s + z) = Σ x·q·s + z·Σ x`.
///
/// **What is in float** keeps its type, and is widened in the graph.
final class OnnxWeights {
    private static final Attribute TO_FLOAT = Attribute.of("to", 1);

    private final OnnxGraph graph;
    private final OnnxActivations activations;
    private final OnnxMatrices matrices;
    private final Map<String, @Nullable InputScale> inputScales;
    private final Map<String, String> transposed = new HashMap<>();

    /// @param inputScales of layers with static activations
    OnnxWeights(OnnxGraph graph, Map<String, @Nullable InputScale> inputScales) {
        this.graph = graph;
        this.inputScales = inputScales;
        activations = new OnnxActivations(graph);
        matrices = new OnnxMatrices(graph);
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
            case Parameter p ->
                graph.node(path, "MatMul", x, transpose(path, widened(path, matrices.floats(path, p), p)));
            case Weight w -> throw unknown(w);
        };
        Parameter bias = layer.bias();
        return bias == null ? y : graph.node(path, "Add", y, vector(path + ".bias", bias));
    }

    private String staged(String path, Linear layer, QuantizedWeight w, String x) {
        Grid inputs = layer.inputTransform() == null ? null : w.scheme().activations(DType.F32);
        if (inputs == null) {
            return x;
        }
        InputScale scale = inputScales.get(path);
        return scale == null
                ? activations.fakeQuantize(path, inputs, x)
                : activations.fakeQuantize(path, inputs, scale, x);
    }

    private String quantizedProduct(String path, QuantizedWeight w, String x) {
        OnnxMatrices.Quantized m = matrices.quantized(path, w);
        NBits layout = m.layout();
        String y = layout == null
                ? graph.node(path, "MatMul", x, transpose(path, dequantized(path, w, m.operands())))
                : graph.contrib(
                        path,
                        "MatMulNBits",
                        List.of(
                                Attribute.of("K", w.shape()[1]),
                                Attribute.of("N", w.shape()[0]),
                                Attribute.of("bits", layout.bits()),
                                Attribute.of("block_size", layout.block()),
                                Attribute.of("accuracy_level", 1)),
                        Stream.concat(Stream.of(x), m.operands().stream()).toArray(String[]::new));
        if (m.minimum() == null) {
            return y;
        }
        String grouped = graph.node(path, "Reshape", x, graph.wholes(0, 0, groups(w), -1));
        String sums = graph.node(path, "ReduceSum", List.of(Attribute.of("keepdims", 0)), grouped, graph.wholes(-1));
        return graph.node(path, "Add", y, graph.node(path, "MatMul", sums, transpose(path, m.minimum())));
    }

    /// [Embedding#forward].
    ///
    /// @param ids `[B, S]`
    String rows(String path, Embedding layer, String ids) {
        return switch (layer.weight()) {
            case QuantizedWeight w -> quantizedRows(path, w, ids);
            case Parameter p -> widened(path, graph.node(path, "Gather", matrices.floats(path, p), ids), p);
            case Weight w -> throw unknown(w);
        };
    }

    private String quantizedRows(String path, QuantizedWeight w, String ids) {
        OnnxMatrices.Quantized m = matrices.quantized(path, w);
        NBits layout = m.layout();
        List<String> rows = m.operands().stream()
                .map(operand -> graph.node(path, "Gather", operand, ids))
                .toList();
        String values = layout == null ? dequantized(path, w, rows) : unpacked(path, layout, w.shape()[1], rows);
        if (m.minimum() == null) {
            return values;
        }
        String grouped = graph.node(path, "Reshape", values, graph.wholes(0, 0, groups(w), -1));
        String minimum = graph.node(path, "Unsqueeze", graph.node(path, "Gather", m.minimum(), ids), graph.wholes(-1));
        return graph.node(path, "Reshape", graph.node(path, "Add", grouped, minimum), graph.wholes(0, 0, w.shape()[1]));
    }

    private static long groups(QuantizedWeight w) {
        return w.shape()[1] / w.grid().granularity().groupSize(w.shape()[1]);
    }

    /// The values of rows whose codes are packed.
    ///
    /// @param rows codes `[B, S, blocks, bytes]`, scales `[B, S, blocks]`, zero points `[B, S, bytes]` if
    ///     there are
    private String unpacked(String path, NBits layout, long columns, List<String> rows) {
        long blocks = columns / layout.block();
        String codes = graph.node(path, "Reshape", codes(path, layout, rows.get(0)), graph.wholes(0, 0, blocks, -1));
        String zero;
        if (rows.size() > 2) {
            String all = graph.node(path, "Reshape", codes(path, layout, rows.get(2)), graph.wholes(0, 0, -1));
            String some = graph.node(path, "Slice", all, graph.wholes(0), graph.wholes(blocks), graph.wholes(-1));
            zero = graph.node(path, "Unsqueeze", some, graph.wholes(-1));
        } else {
            zero = graph.number((float) layout.middle());
        }
        String scale = graph.node(path, "Unsqueeze", rows.get(1), graph.wholes(-1));
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
    private String dequantized(String path, QuantizedWeight w, List<String> parts) {
        long group = w.shape()[1] / groups(w);
        return graph.node(
                path,
                "DequantizeLinear",
                List.of(Attribute.of("axis", -1), Attribute.of("block_size", group)),
                parts.toArray(String[]::new));
    }

    private String widened(String path, String value, Weight w) {
        return w.dtype() == DType.F32 ? value : graph.node(path, "Cast", List.of(TO_FLOAT), value);
    }

    private String transpose(String path, String matrix) {
        return transposed.computeIfAbsent(
                matrix, m -> graph.node(path, "Transpose", List.of(new Attribute.Wholes("perm", 1, 0)), m));
    }

    private static IllegalArgumentException unknown(Weight w) {
        return new IllegalArgumentException("an artifact has no weights of " + w.getClass());
    }
}
