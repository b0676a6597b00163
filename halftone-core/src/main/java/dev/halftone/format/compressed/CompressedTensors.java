package dev.halftone.format.compressed;

import static dev.halftone.format.compressed.QuantizationArgs.FLOAT;
import static dev.halftone.format.compressed.QuantizationArgs.INT;

import dev.halftone.DType;
import dev.halftone.format.Json;
import dev.halftone.quant.CompressedIntScheme;
import dev.halftone.quant.Float8Int4Scheme;
import dev.halftone.quant.Float8Scheme;
import dev.halftone.quant.GgufScheme;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Int4Scheme;
import dev.halftone.quant.Int8Scheme;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.ModelOptScheme;
import dev.halftone.quant.MxFormat;
import dev.halftone.quant.MxScaleMode;
import dev.halftone.quant.MxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.Nvfp4Scheme;
import dev.halftone.quant.QuantScheme;
import dev.halftone.quant.StaticActivationScheme;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/// Schemes in the terms of compressed-tensors 0.20, and the `quantization_config` that says so in `config.json`.
///
/// A scheme fits where that library, transformers and vLLM compute from the stored codes and scales the values that
/// Halftone computes. Inputs that are quantized on the fly they quantize by compressed-tensors' own formulas; torchao's
/// of int8 and float8 differ from those only where a value lies on the border of two codes.
///
/// Layouts are those that the library itself infers, with one exception: vLLM reads int4 weights beside float8
/// inputs (its W4AFP8) packed only. Integer weights beside integer inputs are a byte each, for vLLM reads 4-bit
/// ones with asymmetric inputs (8da4w) only so.
public final class CompressedTensors {
    /// Its `quant_method`.
    public static final String METHOD = "compressed-tensors";
    /// The path of the embedding, the one layer that is no `Linear`.
    public static final String TABLE = "model.embed_tokens";
    private static final String VERSION = "0.20.0";
    private static final String MIXED = "mixed-precision";
    private static final String TOKEN = "token";

    /// How the layers of a scheme are stored and computed.
    ///
    /// @param inputs null where they stay in float
    public record Group(
            CompressionFormat format,
            QuantizationArgs weights,
            @Nullable QuantizationArgs inputs) {
        /// Whether layers of this group compute what those of another do, however they are stored.
        public boolean computesAs(Group other) {
            return weights.equals(other.weights) && Objects.equals(inputs, other.inputs);
        }
    }

    private CompressedTensors() {}

    /// A scheme in the library's terms; empty where it has none.
    public static Optional<Group> group(QuantScheme scheme) {
        return Optional.ofNullable(
                switch (scheme) {
                    case IntxScheme s ->
                        integers(
                                QuantizationArgs.weights(s.weightBits(), INT, true, s.granularity()),
                                s.int8Activations() ? QuantizationArgs.dynamicInputs(INT, false, TOKEN) : null);
                    case Int8Scheme s ->
                        integers(
                                QuantizationArgs.weights(8, INT, true, new Granularity.PerAxis()),
                                QuantizationArgs.dynamicInputs(INT, !s.asymmetricActivations(), TOKEN));
                    case CompressedIntScheme s ->
                        integers(
                                QuantizationArgs.weights(s.weightBits(), INT, s.symmetric(), s.granularity()),
                                s.int8Activations() ? QuantizationArgs.dynamicInputs(INT, true, TOKEN) : null);
                    case StaticActivationScheme(QuantScheme dynamic) ->
                        group(dynamic)
                                .map(g -> new Group(g.format(), g.weights(), withStaticScale(g.inputs())))
                                .orElse(null);
                    case Float8Scheme s -> float8(s);
                    case Float8Int4Scheme s ->
                        new Group(
                                CompressionFormat.PACK,
                                QuantizationArgs.weights(4, INT, true, s.granularity()),
                                QuantizationArgs.dynamicInputs(FLOAT, true, TOKEN));
                    case MxScheme s -> mx(s);
                    case Nvfp4Scheme s ->
                        s.activations() || s.numerics() != Numerics.COMPRESSED_TENSORS
                                ? null
                                : new Group(CompressionFormat.NVFP4, QuantizationArgs.nvfp4(), null);
                    case Int4Scheme _, GgufScheme _, ModelOptScheme _ -> null;
                });
    }

    private static Group integers(QuantizationArgs weights, @Nullable QuantizationArgs inputs) {
        return new Group(inputs == null ? CompressionFormat.PACK : CompressionFormat.INT, weights, inputs);
    }

    private static QuantizationArgs withStaticScale(@Nullable QuantizationArgs inputs) {
        QuantizationArgs dynamic = Objects.requireNonNull(inputs);
        return QuantizationArgs.staticInputs(dynamic.type(), dynamic.symmetric());
    }

    private static @Nullable Group float8(Float8Scheme s) {
        if (s.activationLowest() > 0 || s.activationHighest() < Float.POSITIVE_INFINITY) {
            return null;
        }
        String strategy = s.granularity() instanceof Granularity.PerTensor ? "tensor" : TOKEN;
        return new Group(
                CompressionFormat.FLOAT,
                QuantizationArgs.weights(8, FLOAT, true, s.granularity()),
                QuantizationArgs.dynamicInputs(FLOAT, true, strategy));
    }

    /// The values of weights depend on codes and exponents alone, those of inputs on how exponents are chosen too.
    private static @Nullable Group mx(MxScheme s) {
        if (s.activations() != null && s.numerics() != Numerics.COMPRESSED_TENSORS) {
            return null;
        }
        return switch (s.weights()) {
            case MXFP4 ->
                new Group(
                        CompressionFormat.MXFP4,
                        QuantizationArgs.mx(4, false),
                        s.activations() == null ? null : QuantizationArgs.mx(4, true));
            case MXFP8_E4M3 -> new Group(CompressionFormat.MXFP8, QuantizationArgs.mx(8, false), null);
            default -> null;
        };
    }

    /// The format that layers of a scheme are stored in; PACK where the library has no such scheme.
    public static CompressionFormat format(QuantScheme scheme) {
        return group(scheme).map(Group::format).orElse(CompressionFormat.PACK);
    }

    /// The scheme that computes as a group; empty where Halftone has none.
    ///
    /// Integer inputs with a zero point are torchao's: compressed-tensors' own scheme here has none.
    public static Optional<QuantScheme> scheme(Group group) {
        QuantizationArgs weights = group.weights();
        Granularity granularity = weights.granularity();
        Stream<QuantScheme> candidates;
        if (weights.type().equals(INT)) {
            candidates = granularity == null || weights.bits() < 2 || weights.bits() > 8
                    ? Stream.of()
                    : integerSchemes(weights.bits(), granularity, weights.symmetric());
        } else {
            candidates = floatSchemes(granularity);
        }
        return candidates.filter(s -> group(s).orElseThrow().computesAs(group)).findFirst();
    }

    private static Stream<QuantScheme> integerSchemes(int bits, Granularity granularity, boolean symmetric) {
        CompressedIntScheme dynamic = new CompressedIntScheme(bits, granularity, symmetric, true);
        List<QuantScheme> schemes = new ArrayList<>(List.of(
                new CompressedIntScheme(bits, granularity, symmetric, false),
                dynamic,
                new StaticActivationScheme(dynamic),
                new StaticActivationScheme(new Int8Scheme(true))));
        if (!(granularity instanceof Granularity.PerTensor)) {
            schemes.add(new IntxScheme(bits, granularity, true, Numerics.TORCHAO));
        }
        if (granularity instanceof Granularity.PerGroup) {
            schemes.add(new Float8Int4Scheme(granularity, Numerics.TORCHAO));
        }
        return schemes.stream();
    }

    private static Stream<QuantScheme> floatSchemes(@Nullable Granularity granularity) {
        List<QuantScheme> schemes = new ArrayList<>(List.of(
                new Nvfp4Scheme(false, true, Numerics.COMPRESSED_TENSORS),
                new MxScheme(MxFormat.MXFP4, null, MxScaleMode.EVEN, Numerics.COMPRESSED_TENSORS),
                new MxScheme(MxFormat.MXFP4, MxFormat.MXFP4, MxScaleMode.EVEN, Numerics.COMPRESSED_TENSORS),
                new MxScheme(MxFormat.MXFP8_E4M3, null, MxScaleMode.EVEN, Numerics.TORCHAO)));
        if (granularity != null && !(granularity instanceof Granularity.PerGroup)) {
            Float8Scheme dynamic =
                    new Float8Scheme(granularity, 0, Float.POSITIVE_INFINITY, false, Numerics.COMPRESSED_TENSORS);
            schemes.add(dynamic);
            schemes.add(new StaticActivationScheme(dynamic));
        }
        return schemes.stream();
    }

    /// `quantization_config`, as the library writes it. Where one of the schemes does not fit, a `quant_method` that no
    /// other tool takes for its own.
    ///
    /// @param layers the quantized layers of each scheme
    /// @param ignored the linear layers that stay in float, by their path
    public static ObjectNode config(Map<QuantScheme, List<String>> layers, List<String> ignored) {
        ObjectNode config = Json.object();
        ObjectNode groups = Json.object();
        Set<String> formats = new LinkedHashSet<>();
        for (Map.Entry<QuantScheme, List<String>> entry : layers.entrySet()) {
            Optional<Group> group = group(entry.getKey());
            if (group.isEmpty()) {
                return config.put("quant_method", "halftone");
            }
            String format = group.get().format().label();
            formats.add(format);
            List<String> targets = layers.size() == 1 ? classes(entry.getValue()) : entry.getValue();
            groups.set("group_" + groups.size(), json(group.get(), targets));
        }
        config.set("config_groups", groups);
        config.put("format", formats.size() == 1 ? formats.iterator().next() : MIXED);
        config.putNull("global_compression_ratio");
        ignored.forEach(config.putArray("ignore")::add);
        config.putNull("kv_cache_scheme").putNull("moe_sparsity_config");
        config.put("quant_method", METHOD).put("quantization_status", "compressed");
        config.putObject("sparsity_config");
        config.putObject("transform_config");
        return config.put("version", VERSION);
    }

    private static List<String> classes(List<String> names) {
        List<String> classes = new ArrayList<>();
        if (names.stream().anyMatch(name -> !name.equals(TABLE))) {
            classes.add("Linear");
        }
        if (names.contains(TABLE)) {
            classes.add("Embedding");
        }
        return classes;
    }

    private static ObjectNode json(Group group, List<String> targets) {
        ObjectNode json = Json.object().put("format", group.format().label());
        json.set(
                "input_activations",
                group.inputs() == null ? null : group.inputs().json());
        json.putNull("output_activations");
        targets.forEach(json.putArray("targets")::add);
        json.set("weights", group.weights().json());
        return json;
    }

    /// Whether a type of scales can be the type of weights.
    public static boolean isWeightDtype(DType dtype) {
        return dtype == DType.F32 || dtype == DType.BF16 || dtype == DType.F16;
    }
}
