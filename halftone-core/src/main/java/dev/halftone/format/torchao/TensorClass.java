package dev.halftone.format.torchao;

import static dev.halftone.format.torchao.TorchaoJson.dtype;
import static dev.halftone.format.torchao.TorchaoJson.granularity;
import static dev.halftone.format.torchao.TorchaoJson.mapping;
import static dev.halftone.format.torchao.TorchaoJson.named;
import static dev.halftone.format.torchao.TorchaoJson.typed;

import dev.halftone.DType;
import dev.halftone.format.Json;
import dev.halftone.quant.Float8Scheme;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Int4Scheme;
import dev.halftone.quant.Int8Scheme;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.QuantScheme;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import tools.jackson.databind.node.ObjectNode;

/// torchao's tensor classes that hold a quantized weight, and what they are made of.
public enum TensorClass {
    /// Codes, less a whole zero point, times a scale; inputs in float, or in 8 bits, asymmetric per token.
    INTX("IntxUnpackedToInt8Tensor"),
    /// int8 weights and inputs.
    INT8("Int8Tensor"),
    /// int4 weights between minimum and maximum of their group. torchao multiplies by them on GPUs alone.
    INT4("Int4Tensor"),
    /// float8 weights and inputs. torchao multiplies by them on GPUs alone.
    FLOAT8("Float8Tensor");

    private static final String FLOAT8_DTYPE = "float8_e4m3fn";

    private final String label;

    TensorClass(String label) {
        this.label = label;
    }

    /// A tensor that a weight is stored as.
    ///
    /// @param name `qdata`, `scale` or `zero_point`
    public record Part(String name, DType dtype, long... shape) {}

    /// The class whose values, and whose quantization of inputs, are a scheme's; empty where there is none.
    static Optional<TensorClass> of(QuantScheme scheme) {
        return switch (scheme) {
            case Int8Scheme _ -> Optional.of(INT8);
            case Int4Scheme s when s.numerics() == Numerics.FBGEMM -> Optional.of(INT4);
            case Float8Scheme s when s.numerics() != Numerics.COMPRESSED_TENSORS -> Optional.of(FLOAT8);
            default ->
                scheme.weights(DType.F32).affine() && inputsAreIntx(scheme) ? Optional.of(INTX) : Optional.empty();
        };
    }

    private static boolean inputsAreIntx(QuantScheme scheme) {
        return scheme.activations(DType.F32) == null
                || List.of(DType.F32, DType.BF16).stream()
                        .allMatch(d -> IntxGrid.activations(Numerics.TORCHAO, d).equals(scheme.activations(d)));
    }

    /// The tensors of a weight, in the order in which metadata names them.
    ///
    /// @param grid the scheme's
    /// @param shape `[N, K]`
    public List<Part> parts(Grid grid, long... shape) {
        long[] blocks = grid.granularity().scaleShape(shape);
        long[] turned = {blocks[1], blocks[0]};
        DType scale = grid.scaleDtype();
        return switch (this) {
            case INTX, INT8 ->
                List.of(
                        new Part(Torchao.CODES, DType.I8, shape),
                        new Part(Torchao.SCALE, scale, blocks),
                        new Part(Torchao.ZERO_POINT, DType.I8, blocks));
            case INT4 ->
                List.of(
                        new Part(Torchao.CODES, DType.I8, shape[0], shape[1] / 2),
                        new Part(Torchao.SCALE, scale, turned),
                        new Part(Torchao.ZERO_POINT, Objects.requireNonNull(grid.zeroPointDtype()), turned));
            case FLOAT8 ->
                List.of(new Part(Torchao.CODES, DType.F8_E4M3, shape), new Part(Torchao.SCALE, scale, blocks));
        };
    }

    /// What else the constructor takes, as metadata has it.
    ///
    /// @param dtype of the weight that was quantized
    /// @param shape `[N, K]`
    ObjectNode attributes(QuantScheme scheme, DType dtype, long... shape) {
        Grid grid = scheme.weights(dtype);
        boolean tensor = grid.granularity() instanceof Granularity.PerTensor;
        ObjectNode data = Json.object();
        switch (this) {
            case INTX -> {
                data.set("target_dtype", dtype("int" + grid.codeBits()));
                data.put("activation_quantization", scheme.activations(dtype) == null ? null : "int8_asym_per_token");
            }
            case INT8 -> {
                ObjectNode inputs = Json.object();
                inputs.set("granularity", granularity("PerRow", "dim", -1));
                inputs.set("mapping_type", mapping(!((Int8Scheme) scheme).asymmetricActivations()));
                inputs.put("reduce_range", false);
                data.set("act_quant_kwargs", typed("QuantizeTensorToInt8Kwargs", inputs));
                data.put("reduce_range", false);
            }
            case INT4 -> data.set("activation_dtype", dtype(dtype.torchName()));
            case FLOAT8 -> {
                ObjectNode inputs = Json.object();
                inputs.set("float8_dtype", dtype(FLOAT8_DTYPE));
                inputs.set(
                        "granularity", tensor ? typed("PerTensor", Json.object()) : granularity("PerRow", "dim", -1));
                inputs.putNull("mm_config");
                bounds(inputs, "hp_value_", (Float8Scheme) scheme);
                inputs.set("kernel_preference", named("KernelPreference", "AUTO"));
                data.set("mm_config", products());
                data.set("act_quant_kwargs", typed("QuantizeTensorToFloat8Kwargs", inputs));
                data.set("kernel_preference", named("KernelPreference", "AUTO"));
            }
        }
        data.putArray("block_size")
                .add(tensor ? shape[0] : 1)
                .add(grid.granularity().groupSize(shape[1]));
        if (this == INT4) {
            data.putArray("shape").add(shape[0]).add(shape[1]);
        } else {
            data.set("dtype", dtype(dtype.torchName()));
        }
        return data;
    }

    /// torchao's defaults.
    private static ObjectNode products() {
        ObjectNode config =
                Json.object().put("emulate", false).put("use_fast_accum", true).put("pad_inner_dim", false);
        return typed("Float8MMConfig", config);
    }

    private static void bounds(ObjectNode json, String prefix, Float8Scheme s) {
        if (s.activationLowest() > 0) {
            json.put(prefix + "lb", s.activationLowest());
        } else {
            json.putNull(prefix + "lb");
        }
        if (s.activationHighest() < Float.POSITIVE_INFINITY) {
            json.put(prefix + "ub", s.activationHighest());
        } else {
            json.putNull(prefix + "ub");
        }
    }

    /// What torchao's `quantize_` takes to make such weights.
    ObjectNode configuration(QuantScheme scheme) {
        Grid grid = scheme.weights(DType.F32);
        ObjectNode data = Json.object();
        String name = switch (this) {
            case INTX -> {
                boolean inputs = scheme.activations(DType.F32) != null;
                data.set("weight_dtype", dtype("int" + grid.codeBits()));
                data.set(
                        inputs ? "weight_granularity" : "granularity",
                        grid.granularity() instanceof Granularity.PerGroup(int size)
                                ? granularity("PerGroup", "group_size", size)
                                : granularity("PerAxis", "axis", 0));
                data.set(inputs ? "weight_mapping_type" : "mapping_type", mapping(grid.zeroPointDtype() == null));
                yield inputs ? "Int8DynamicActivationIntxWeightConfig" : "IntxWeightOnlyConfig";
            }
            case INT8 -> {
                data.set("act_mapping_type", mapping(!((Int8Scheme) scheme).asymmetricActivations()));
                yield "Int8DynamicActivationInt8WeightConfig";
            }
            case INT4 -> {
                if (grid.granularity() instanceof Granularity.PerGroup(int size)) {
                    data.put("group_size", size);
                }
                yield "Int4WeightOnlyConfig";
            }
            case FLOAT8 -> {
                boolean tensor = grid.granularity() instanceof Granularity.PerTensor;
                data.set(
                        "granularity",
                        tensor
                                ? typed("PerTensor", Json.object()).put("_version", 1)
                                : granularity("PerRow", "dim", -1).put("_version", 1));
                bounds(data, "activation_value_", (Float8Scheme) scheme);
                yield "Float8DynamicActivationFloat8WeightConfig";
            }
        };
        return typed(name, data).put("_version", 2);
    }

    /// The name in torchao.
    String label() {
        return label;
    }
}
