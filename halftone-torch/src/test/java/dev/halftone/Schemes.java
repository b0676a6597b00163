package dev.halftone;

import dev.halftone.config.Config;
import dev.halftone.config.schema.QuantizeConfig;
import dev.halftone.quant.Grid;
import dev.halftone.quant.InputScale;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.QuantScheme;
import dev.halftone.quant.StaticGrid;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/// Every scheme that Halftone has: what the tests run over that are about all of them ([AllSchemes]), and the
/// rows of COVERAGE.md. `SchemesTest` holds it complete.
public final class Schemes {
    /// Schemes of one numerics.
    ///
    /// @param component the quantizer that gives them in a configuration; empty where only Java code can ask
    ///     for them
    /// @param golden the golden cases that their arithmetic computes: a pattern of `scheme` in the index
    record Row(String component, String golden, List<QuantScheme> schemes) {
        Numerics numerics() {
            return schemes.getFirst().numerics();
        }

        boolean isTrainable() {
            return schemes.stream().allMatch(scheme -> scheme.untrainable() == null);
        }
    }

    private static final String INT8_INTX = "Int8DynamicActivationIntxWeightConfig";
    private static final String INTX = "IntxWeightOnlyConfig";
    private static final String INT4 = "Int4WeightOnlyConfig";
    private static final String INT8 = "Int8DynamicActivationInt8WeightConfig";
    private static final String FLOAT8 = "Float8DynamicActivationFloat8WeightConfig";
    private static final String FLOAT8_INT4 = "Float8DynamicActivationInt4WeightConfig";
    private static final String MX = "MXDynamicActivationMXWeightConfig";
    private static final String MX_WEIGHTS = "MXWeightOnlyConfig";
    private static final String NVFP4 = "NVFP4DynamicActivationNVFP4WeightConfig";
    private static final String NVFP4_WEIGHTS = "NVFP4WeightOnlyConfig";
    private static final String INT4_TRAINED_AND_STORED = "torchao Int4WeightOnlyConfig v2( linear)?";
    private static final String NONE = "";

    static final List<Row> ROWS = List.of(
            row(
                    INT8_INTX,
                    "torchao (" + INT8_INTX + " .*|int8 asymmetric per-token activation|IntxUnpackedToInt8Tensor)",
                    "weight_dtype: int4",
                    "weight_dtype: int2, groupsize: channel",
                    "weight_dtype: int8, groupsize: channel"),
            row(
                    INTX,
                    "torchao (" + INTX
                            + " (weight|linear) int[2-8]|FakeQuantizedEmbedding .*|IntxUnpackedToInt8Tensor)",
                    "weight_dtype: int2, groupsize: 16",
                    "weight_dtype: int3, groupsize: 32",
                    "weight_dtype: int5, groupsize: channel",
                    "weight_dtype: int8, groupsize: channel"),
            row(INTX, "torchao IntxWeightOnlyConfig weight int1", "weight_dtype: int1, groupsize: 32"),
            row(
                    INTX,
                    "torchao IntxFakeQuantizer range_learning",
                    "weight_dtype: int4, groupsize: 32, learned_scales: range_learning"),
            row(
                    INT8_INTX,
                    "torchao IntxFakeQuantizer range_learning",
                    "weight_dtype: int4, groupsize: 32, learned_scales: range_learning"),
            row(INTX, NONE, "weight_dtype: int3, groupsize: channel, learned_scales: lsq"),
            row(INT8_INTX, NONE, "weight_dtype: int4, groupsize: 16, learned_scales: lsq"),
            row(
                    "Int8DynActInt4WeightQATQuantizer",
                    "torchao (8da4w legacy .*|int8 asymmetric per-token activation \\(8da4w legacy\\))",
                    "groupsize: 32"),
            row("Int4WeightOnlyEmbeddingQATQuantizer", "torchao Int4WeightOnlyEmbeddingQATQuantizer", "groupsize: 32"),
            row(INT4, INT4_TRAINED_AND_STORED + "|torchao Int4Tensor PLAIN", "groupsize: 32"),
            row(INT4, INT4_TRAINED_AND_STORED, "groupsize: 16, numerics: fbgemm_training, scale_gradient: true"),
            row(
                    "Int4WeightOnlyQATQuantizer",
                    "torchao tinygemm int4 .*|aten int4 tile packing|torchao Int4TilePackedTo4dTensor",
                    "groupsize: 32"),
            row(INT8, "torchao " + INT8 + " .*", "act_mapping_type: symmetric", "act_mapping_type: asymmetric"),
            row(INT8, "compressed-tensors (W8A8|int8 per-token activation)", "numerics: compressed_tensors"),
            row(
                    "W4A16",
                    "compressed-tensors (W4A16|W4A16_ASYM|int weight)",
                    "groupsize: 32",
                    "groupsize: 32, symmetric: false"),
            row(
                    "Int8StaticActivationInt8WeightConfig",
                    "torchao Int8StaticActivationInt8WeightConfig .*",
                    "act_mapping_type: symmetric",
                    "act_mapping_type: asymmetric"),
            row(
                    "Int8StaticActivationInt8WeightConfig",
                    "compressed-tensors static int8 activation",
                    "numerics: compressed_tensors"),
            row("FP8", "compressed-tensors static float8 activation", "calibration: minmax"),
            row(
                    FLOAT8,
                    NONE,
                    "granularity: row",
                    "granularity: tensor, activation_value_lb: 0.5, activation_value_ub: 2, scale_gradient: true"),
            row(
                    FLOAT8,
                    "torchao (Float8FakeQuantizer.*|" + FLOAT8 + " .*|Float8Tensor)",
                    "granularity: row, numerics: torchao_verbatim"),
            row(FLOAT8, "compressed-tensors FP8_DYNAMIC", "granularity: tensor, numerics: compressed_tensors"),
            row(FLOAT8_INT4, "torchao (" + FLOAT8_INT4 + " weight|Int4Tensor PLAIN, fp8 activation)", "groupsize: 32"),
            row(FLOAT8_INT4, "torchao " + FLOAT8_INT4 + " .*", "groupsize: 16, numerics: torchao_verbatim"),
            row(
                    MX,
                    "torchao (mx.*|MXFakeQuantizedLinear .*)",
                    "activation_dtype: mxfp4, weight_dtype: mxfp4",
                    "activation_dtype: mxfp8_e5m2, weight_dtype: mxfp6_e3m2, scaling_mode: floor",
                    "activation_dtype: mxfp6_e2m3, weight_dtype: mxfp8_e4m3, scaling_mode: ceil",
                    "activation_dtype: mxfp6_e3m2, weight_dtype: mxfp8_e5m2, scaling_mode: even",
                    "activation_dtype: mxfp8_e4m3, weight_dtype: mxfp8_e4m3"),
            row(
                    MX,
                    "compressed-tensors MXFP4",
                    "activation_dtype: mxfp4, weight_dtype: mxfp4, scaling_mode: even, numerics: compressed_tensors"),
            row(MX, NONE, "activation_dtype: mxint8, weight_dtype: mxint8"),
            row(MX_WEIGHTS, "torchao mx.*", "weight_dtype: mxfp6_e2m3"),
            row(
                    MX_WEIGHTS,
                    "compressed-tensors MXFP4",
                    "weight_dtype: mxfp4, scaling_mode: even, numerics: compressed_tensors"),
            row(MX_WEIGHTS, NONE, "weight_dtype: mxint8, scaling_mode: ceil"),
            row(NVFP4, "torchao NVFP4.*", "use_dynamic_per_tensor_scale: true", "use_dynamic_per_tensor_scale: false"),
            row(NVFP4, "ModelOpt NVFP4", "numerics: modelopt"),
            row(NVFP4, "ModelOpt NVFP4", "numerics: modelopt_training"),
            row(NVFP4, "compressed-tensors NVFP4", "numerics: compressed_tensors"),
            row(NVFP4_WEIGHTS, "torchao NVFP4( .*)?", "use_dynamic_per_tensor_scale: true"),
            row(NVFP4_WEIGHTS, "ModelOpt NVFP4", "numerics: modelopt"),
            row(NVFP4_WEIGHTS, "ModelOpt NVFP4", "numerics: modelopt_training"),
            row(NVFP4_WEIGHTS, "compressed-tensors NVFP4", "numerics: compressed_tensors"),
            row(
                    "GGUFWeightOnlyConfig",
                    "GGUF (Q4_0|Q4_1|Q5_0|Q5_1|Q8_0|TQ1_0|TQ2_0|MXFP4)",
                    "type: q4_0",
                    "type: q4_1",
                    "type: q5_0",
                    "type: q5_1",
                    "type: q8_0",
                    "type: tq1_0",
                    "type: tq2_0",
                    "type: mxfp4"),
            row(
                    "Int8DynamicActivationGGUFWeightConfig",
                    "GGUF (Q4_0|Q4_1|Q5_0|Q5_1|Q8_0|TQ1_0|TQ2_0|MXFP4|activation Q8_[01K])",
                    "type: q4_0",
                    "type: q4_1",
                    "type: q5_0",
                    "type: q5_1",
                    "type: q8_0",
                    "type: tq1_0",
                    "type: tq2_0",
                    "type: mxfp4"),
            row(
                    "ModelOptQuantizer",
                    "ModelOpt (INT8 symmetric per channel|FP8 e4m3 .*|mtq.quantize INT4_.*)",
                    "config: int8_weight_only_cfg",
                    "config: fp8_per_channel_per_token_cfg",
                    "config: int4_blockwise_weight_only_cfg"),
            row(
                    "ModelOptQuantizer",
                    "ModelOpt (INT8 symmetric .*|FP8 e4m3 .*|mtq.quantize (INT8|FP8)_DEFAULT_CFG)",
                    "config: int8_default_cfg",
                    "config: fp8_default_cfg"));

    private Schemes() {}

    /// @param keys of the quantizer's block in YAML, a scheme each
    private static Row row(String component, String golden, String... keys) {
        return new Row(
                component,
                golden,
                Arrays.stream(keys).map(k -> scheme(component, k)).toList());
    }

    private static QuantScheme scheme(String component, String keys) {
        String quantizer = "quantizer={_component_: %s, %s}".formatted(component, keys);
        return Config.parse("schemes", "{output_dir: out, checkpoint_dir: model}", List.of(quantizer))
                .bind(QuantizeConfig.class)
                .value()
                .quantizer()
                .parts()
                .getFirst()
                .scheme();
    }

    public static Stream<QuantScheme> all() {
        return ROWS.stream().flatMap(row -> row.schemes().stream()).distinct();
    }

    public static Stream<QuantScheme> trainable() {
        return all().filter(scheme -> scheme.untrainable() == null);
    }

    /// Inputs of a layer come in multiples of this: 32, or the size of the scheme's blocks where that is
    /// larger.
    public static int unit(QuantScheme scheme) {
        return Math.max(32, scheme.weights(DType.F32).granularity().groupSize(32));
    }

    /// What a scheme maps weights and activations to; static activations with a scale for the range [-1, 1.5].
    public static List<Grid> grids(QuantScheme scheme, DType dtype) {
        Grid activations = scheme.activations(dtype);
        Grid weights = scheme.weights(dtype);
        if (activations == null) {
            return List.of(weights);
        }
        return List.of(
                weights,
                scheme.staticActivations()
                        ? new StaticGrid(activations, InputScale.of(activations, -1, 1.5f))
                        : activations);
    }
}
