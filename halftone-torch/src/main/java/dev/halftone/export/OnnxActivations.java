package dev.halftone.export;

import dev.halftone.DType;
import dev.halftone.format.onnx.OnnxGraph;
import dev.halftone.format.onnx.OnnxNode.Attribute;
import dev.halftone.quant.CompressedIntGrid;
import dev.halftone.quant.Grid;
import dev.halftone.quant.InputScale;
import dev.halftone.quant.IntxGrid;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Inputs that are quantized to 8 bits, per token on the fly or by a static scale, in a graph: the formulas
/// of [dev.halftone.quant.IntxOracle] and [dev.halftone.quant.CompressedIntOracle] in float32, an operator
/// for each of their roundings.
///
/// ONNX's own DynamicQuantizeLinear has one scale for a whole tensor, and other formulas.
final class OnnxActivations {
    private final OnnxGraph graph;
    private final Map<List<Object>, String> known = new HashMap<>();

    OnnxActivations(OnnxGraph graph) {
        this.graph = graph;
    }

    /// What remains of a value after quantization by its own scale; layers that see the same input share it.
    ///
    /// @param x `[…, K]`
    String fakeQuantize(String path, Grid grid, String x) {
        return known.computeIfAbsent(List.of(grid, x), _ -> {
            String where = path + "/input";
            return switch (grid) {
                case IntxGrid g -> intx(where, g, x);
                case CompressedIntGrid g -> compressed(where, g, x);
                default -> throw new IllegalArgumentException("no graph quantizes to " + grid);
            };
        });
    }

    /// The same by a scale that was found beforehand, as [dev.halftone.quant.StaticOracle] has it. Scale and
    /// zero point are constants by compressed-tensors' names, so that they can be read again.
    String fakeQuantize(String path, Grid grid, InputScale found, String x) {
        String where = path + "/input";
        String scale = constant(path + ".input_scale", found.scale());
        String zero = found.zeroPoint() == 0 ? null : constant(path + ".input_zero_point", found.zeroPoint());
        String code = switch (grid) {
            case IntxGrid g -> {
                String steps =
                        graph.node(where, "Mul", x, graph.number(found.block(g).inverse()));
                yield clipped(where, plus(where, graph.node(where, "Round", steps), zero), g.qmin(), g.qmax());
            }
            case CompressedIntGrid g -> {
                String steps = plus(where, graph.node(where, "Div", x, scale), zero);
                yield graph.node(where, "Round", clipped(where, steps, g.qmin(), g.qmax()));
            }
            default -> throw new IllegalArgumentException("no graph quantizes to " + grid);
        };
        return graph.node(where, "Mul", zero == null ? code : graph.node(where, "Sub", code, zero), scale);
    }

    private String constant(String name, float value) {
        return graph.weight(name, DType.F32, new long[] {1}, _ -> OnnxGraph.row(value));
    }

    private String plus(String where, String x, @Nullable String zero) {
        return zero == null ? x : graph.node(where, "Add", x, zero);
    }

    private String intx(String where, IntxGrid g, String x) {
        String lo = graph.node(where, "Min", least(where, x), graph.number(0f));
        String hi = graph.node(where, "Max", most(where, x), graph.number(0f));
        String range = g.symmetric()
                ? graph.node(where, "Max", graph.node(where, "Neg", lo), hi)
                : graph.node(where, "Sub", hi, lo);
        String scale = graph.node(
                where, "Max", graph.node(where, "Div", range, graph.number(g.steps())), graph.number(g.eps()));
        // A constant 1 would do, but onnxruntime divides a single number by a tensor with an approximate reciprocal.
        String one = graph.node(where, "Div", scale, scale);
        String inverse = graph.node(where, "Div", one, scale);
        String steps = graph.node(where, "Round", graph.node(where, "Mul", x, inverse));
        if (g.symmetric()) {
            return graph.node(where, "Mul", clipped(where, steps, g.qmin(), g.qmax()), scale);
        }
        String lowest = graph.node(where, "Round", graph.node(where, "Div", lo, scale));
        String zero =
                clipped(where, graph.node(where, "Sub", graph.number((float) g.qmin()), lowest), g.qmin(), g.qmax());
        String code = clipped(where, graph.node(where, "Add", steps, zero), g.qmin(), g.qmax());
        return graph.node(where, "Mul", graph.node(where, "Sub", code, zero), scale);
    }

    /// @param g symmetric
    private String compressed(String where, CompressedIntGrid g, String x) {
        String lo = graph.node(where, "Min", least(where, x), graph.number(0f));
        String hi = graph.node(where, "Max", most(where, x), graph.number(0f));
        String range = graph.node(where, "Max", graph.node(where, "Neg", lo), hi);
        String stepsize = graph.node(where, "Div", range, graph.number(g.steps()));
        String scale = graph.node(
                where,
                "Where",
                graph.node(where, "Equal", stepsize, graph.number(0f)),
                graph.number(g.eps()),
                stepsize);
        String steps = clipped(where, graph.node(where, "Div", x, scale), g.qmin(), g.qmax());
        return graph.node(where, "Mul", graph.node(where, "Round", steps), scale);
    }

    private String least(String where, String x) {
        return graph.node(where, "ReduceMin", List.of(Attribute.of("keepdims", 1)), x, graph.wholes(-1));
    }

    private String most(String where, String x) {
        return graph.node(where, "ReduceMax", List.of(Attribute.of("keepdims", 1)), x, graph.wholes(-1));
    }

    private String clipped(String where, String x, int lowest, int highest) {
        return graph.node(where, "Clip", x, graph.number((float) lowest), graph.number((float) highest));
    }
}
