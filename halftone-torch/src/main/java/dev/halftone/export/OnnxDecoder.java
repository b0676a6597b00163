package dev.halftone.export;

import dev.halftone.DType;
import dev.halftone.format.onnx.OnnxGraph;
import dev.halftone.format.onnx.OnnxNode.Attribute;
import dev.halftone.model.CausalLm;
import dev.halftone.model.DecoderConfig;
import dev.halftone.nn.Attention;
import dev.halftone.nn.AttentionContext;
import dev.halftone.nn.Embedding;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Module;
import dev.halftone.nn.RmsNorm;
import dev.halftone.nn.RotaryEmbedding;
import dev.halftone.qat.InputCalibration;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// A language model as a graph of ONNX operators that computes in float32.
///
/// Inputs and outputs are named as Hugging Face's exporter (optimum) and onnxruntime-genai name them; sizes
/// in brackets, `B` texts of `S` new tokens after `P`, `T = P + S`:
///
/// ```text
/// input_ids [B, S]    position_ids [B, S]    attention_mask [B, T]    int64; a 0 in the mask hides a token
/// past_key_values.N.key, past_key_values.N.value   [B, G, P, D]       float32; P may be 0
/// logits [B, S, V]    present.N.key, present.N.value [B, G, T, D]     float32
/// ```
///
/// All is made of ONNX's standard operators but for the products of quantized weights ([OnnxWeights]), so
/// that any runtime loads the rest.
final class OnnxDecoder {
    private static final String BATCH = "batch_size";
    private static final String TOKENS = "sequence_length";
    private static final String PAST = "past_sequence_length";
    private static final String TOTAL = "total_sequence_length";

    private final OnnxGraph graph = new OnnxGraph();
    private final Map<String, Module> modules;
    private final DecoderConfig config;
    private final OnnxWeights weights;
    private final Map<Integer, String> biases = new HashMap<>();
    private final IdentityHashMap<RotaryEmbedding, Rotation> rotations = new IdentityHashMap<>();
    private String positions = "";
    private String mask = "";
    private String ids = "";

    /// Cosines and sines, `[B, 1, S, D]`.
    private record Rotation(String cos, String sin) {}

    private OnnxDecoder(CausalLm model) {
        modules = model.namedModules();
        config = model.config();
        weights = new OnnxWeights(graph, InputCalibration.scales(model));
    }

    static OnnxGraph of(CausalLm model) {
        OnnxDecoder decoder = new OnnxDecoder(model);
        decoder.build();
        return decoder.graph;
    }

    private void build() {
        ids = graph.input("input_ids", DType.I64, BATCH, TOKENS);
        mask = graph.input("attention_mask", DType.I64, BATCH, TOTAL);
        positions = graph.input("position_ids", DType.I64, BATCH, TOKENS);
        String table = "model.embed_tokens";
        String x = weights.rows(table, (Embedding) module(table), ids);
        for (int i = 0; i < config.layers(); i++) {
            x = layer("model.layers." + i, x);
        }
        String head = "lm_head";
        String logits = weights.product(head, (Linear) module(head), norm("model.norm", x));
        graph.output("logits", logits, DType.F32, BATCH, TOKENS, config.vocabSize());
    }

    private Module module(String path) {
        return Objects.requireNonNull(modules.get(path), path);
    }

    /// A layer with its norms before attention and MLP, or, where it has none there, after them (OLMo 2).
    private String layer(String path, String x) {
        boolean before = modules.containsKey(path + ".input_layernorm");
        String after = path + ".post_attention_layernorm";
        String attended = attention(path + ".self_attn", before ? norm(path + ".input_layernorm", x) : x);
        String y = graph.node(path, "Add", x, before ? attended : norm(after, attended));
        String fed = mlp(path + ".mlp", before ? norm(after, y) : y);
        return graph.node(path, "Add", y, before ? fed : norm(path + ".post_feedforward_layernorm", fed));
    }

    /// [RmsNorm#forward] in float32, where both roundings are the same.
    private String norm(String path, String x) {
        RmsNorm norm = (RmsNorm) module(path);
        String mean = graph.node(path, "ReduceMean", graph.node(path, "Mul", x, x), graph.wholes(-1));
        String root = graph.node(path, "Sqrt", graph.node(path, "Add", mean, graph.number((float) config.normEps())));
        String weight = weights.vector(path + ".weight", norm.weight());
        return graph.node(path, "Mul", graph.node(path, "Div", x, root), weight);
    }

    private String mlp(String path, String x) {
        String gate = product(path + ".gate_proj", x);
        String up = product(path + ".up_proj", x);
        String silu = graph.node(path, "Mul", gate, graph.node(path, "Sigmoid", gate));
        return product(path + ".down_proj", graph.node(path, "Mul", silu, up));
    }

    private String product(String path, String x) {
        return weights.product(path, (Linear) module(path), x);
    }

    /// [Attention#forward]. Queries that share a key head are a dimension of their own: `[B, G, H / G, S,
    /// D]`.
    private String attention(String path, String x) {
        Attention.Geometry geometry = ((Attention) module(path)).geometry();
        int kvHeads = geometry.kvHeads();
        int dim = geometry.headDim();
        String q = heads(path, "q", x, geometry.heads(), geometry);
        String k = cached(path, "key", heads(path, "k", x, kvHeads, geometry), geometry);
        String v = cached(path, "value", heads(path, "v", x, kvHeads, geometry), geometry);
        String grouped = graph.node(path, "Reshape", q, graph.wholes(0, kvHeads, geometry.heads() / kvHeads, -1, dim));
        String keys = transpose(path, graph.node(path, "Unsqueeze", k, graph.wholes(2)), 0, 1, 2, 4, 3);
        String scores = graph.node(
                path, "Mul", graph.node(path, "MatMul", grouped, keys), graph.number((float) (1 / Math.sqrt(dim))));
        String visible = graph.node(path, "Add", scores, bias(geometry.window()));
        String shares = graph.node(path, "Softmax", List.of(Attribute.of("axis", -1)), visible);
        String read = graph.node(path, "MatMul", shares, graph.node(path, "Unsqueeze", v, graph.wholes(2)));
        String heads = graph.node(path, "Reshape", read, graph.wholes(0, geometry.heads(), -1, dim));
        String rows = graph.node(
                path, "Reshape", transpose(path, heads, 0, 2, 1, 3), graph.wholes(0, 0, (long) geometry.heads() * dim));
        return product(path + ".o_proj", rows);
    }

    /// Queries, keys or values, `[B, heads, S, D]`: normalised where the family does so, and but for values
    /// rotated.
    private String heads(String path, String which, String x, int heads, Attention.Geometry geometry) {
        String rows = product(path + "." + which + "_proj", x);
        String name = path + "." + which + "_norm";
        boolean whole = modules.get(name) instanceof RmsNorm norm && norm.width() > geometry.headDim();
        String shaped = graph.node(
                path, "Reshape", whole ? norm(name, rows) : rows, graph.wholes(0, 0, heads, geometry.headDim()));
        String normal = modules.containsKey(name) && !whole ? norm(name, shaped) : shaped;
        String each = transpose(path, normal, 0, 2, 1, 3);
        RotaryEmbedding rope = geometry.rope();
        if (rope == null || which.equals("v")) {
            return each;
        }
        Rotation rotation = rotations.computeIfAbsent(rope, this::rotation);
        List<String> halves = graph.halves(path, each);
        String swapped = graph.node(
                path,
                "Concat",
                List.of(Attribute.of("axis", -1)),
                graph.node(path, "Neg", halves.get(1)),
                halves.get(0));
        return graph.node(
                path,
                "Add",
                graph.node(path, "Mul", each, rotation.cos),
                graph.node(path, "Mul", swapped, rotation.sin));
    }

    /// The same after those that were read before, `[B, G, T, D]`.
    private String cached(String path, String which, String each, Attention.Geometry geometry) {
        String name = "%d.%s".formatted(geometry.layer(), which);
        String past =
                graph.input("past_key_values." + name, DType.F32, BATCH, geometry.kvHeads(), PAST, geometry.headDim());
        String all = graph.node(path, "Concat", List.of(Attribute.of("axis", 2)), past, each);
        graph.output("present." + name, all, DType.F32, BATCH, geometry.kvHeads(), TOTAL, geometry.headDim());
        return all;
    }

    /// [RotaryEmbedding#at]: the angles are computed, not looked up, so that no table bounds the context.
    private Rotation rotation(RotaryEmbedding rope) {
        String where = "rotary" + (rotations.isEmpty() ? "" : rotations.size());
        String column = graph.node(
                where,
                "Unsqueeze",
                graph.node(where, "Cast", List.of(Attribute.of("to", 1)), positions),
                graph.wholes(1, 3));
        String frequencies = graph.numbers(where + ".frequencies", rope.frequencies());
        String angles = graph.node(where, "Mul", column, frequencies);
        String both = graph.node(where, "Concat", List.of(Attribute.of("axis", -1)), angles, angles);
        return new Rotation(
                stretched(where, graph.node(where, "Cos", both), rope),
                stretched(where, graph.node(where, "Sin", both), rope));
    }

    private String stretched(String where, String x, RotaryEmbedding rope) {
        return rope.magnitude() == 1 ? x : graph.node(where, "Mul", x, graph.number((float) rope.magnitude()));
    }

    /// What is added to scores, `[B, 1, 1, S, T]`: 0 where a query may look, the lowest number where not.
    private String bias(int window) {
        return biases.computeIfAbsent(window, _ -> {
            String where = "mask" + (biases.isEmpty() ? "" : biases.size());
            String zero = graph.number(0L);
            String total = size(where, mask);
            String past = graph.node(where, "Sub", total, size(where, ids));
            String keys_T = graph.node(where, "Range", zero, total, graph.number(1L));
            String queries_S = graph.node(where, "Range", past, total, graph.number(1L));
            String distance_ST =
                    graph.node(where, "Sub", graph.node(where, "Unsqueeze", queries_S, graph.wholes(1)), keys_T);
            String seen = graph.node(where, "GreaterOrEqual", distance_ST, zero);
            if (window != AttentionContext.UNBOUNDED) {
                seen = graph.node(
                        where, "And", seen, graph.node(where, "Less", distance_ST, graph.number((long) window)));
            }
            String kept = graph.node(
                    where,
                    "Unsqueeze",
                    graph.node(where, "Cast", List.of(Attribute.of("to", 9)), mask),
                    graph.wholes(1, 2, 3));
            return graph.node(
                    where,
                    "Where",
                    graph.node(where, "And", kept, seen),
                    graph.number(0f),
                    graph.number(-Float.MAX_VALUE));
        });
    }

    /// The second size of a value.
    private String size(String where, String value) {
        return graph.node(where, "Gather", graph.node(where, "Shape", value), graph.number(1L));
    }

    private String transpose(String where, String x, long... order) {
        return graph.node(where, "Transpose", List.of(new Attribute.Wholes("perm", order)), x);
    }
}
