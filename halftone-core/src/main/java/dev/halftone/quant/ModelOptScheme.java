package dev.halftone.quant;

import dev.halftone.DType;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// A configuration of ModelOpt's `mtq.quantize`, by its name there.
///
/// ModelOpt calibrates the amax of weights once and keeps it while they are trained. Here it is that of the
/// weights as they are: what it would calibrate after training. The amax of inputs is calibrated once, as there.
public record ModelOptScheme(Config config) implements QuantScheme {
    /// ModelOpt's configurations of int8, float8 and int4.
    public enum Config {
        /// int8 weights, one scale an output channel, and int8 activations, one calibrated scale a tensor.
        INT8_DEFAULT_CFG,
        /// int8 weights, one scale an output channel.
        INT8_WEIGHT_ONLY_CFG,
        /// float8 (e4m3) weights and activations, one scale a tensor, of activations calibrated.
        FP8_DEFAULT_CFG,
        /// float8 (e4m3) weights, one scale an output channel, and activations, one scale a token.
        FP8_PER_CHANNEL_PER_TOKEN_CFG,
        /// int4 weights in groups of 128.
        INT4_BLOCKWISE_WEIGHT_ONLY_CFG
    }

    private static final int INT4_BLOCK = 128;

    @Override
    public Numerics numerics() {
        return Numerics.MODELOPT;
    }

    @Override
    public AmaxGrid weights(DType dtype) {
        Granularity granularity = switch (config) {
            case INT8_DEFAULT_CFG, INT8_WEIGHT_ONLY_CFG, FP8_PER_CHANNEL_PER_TOKEN_CFG -> new Granularity.PerAxis();
            case FP8_DEFAULT_CFG -> new Granularity.PerTensor();
            case INT4_BLOCKWISE_WEIGHT_ONLY_CFG -> new Granularity.PerGroup(INT4_BLOCK);
        };
        return AmaxGrid.modelOpt(element(), dtype, granularity);
    }

    @Override
    public @Nullable AmaxGrid activations(DType dtype) {
        return switch (config) {
            case INT8_DEFAULT_CFG, FP8_DEFAULT_CFG -> AmaxGrid.modelOpt(element(), dtype, new Granularity.PerTensor());
            case FP8_PER_CHANNEL_PER_TOKEN_CFG -> AmaxGrid.modelOpt(element(), dtype, new Granularity.PerAxis());
            case INT8_WEIGHT_ONLY_CFG, INT4_BLOCKWISE_WEIGHT_ONLY_CFG -> null;
        };
    }

    @Override
    public boolean staticActivations() {
        return config == Config.INT8_DEFAULT_CFG || config == Config.FP8_DEFAULT_CFG;
    }

    private Element element() {
        return switch (config) {
            case INT8_DEFAULT_CFG, INT8_WEIGHT_ONLY_CFG -> Element.Integers.of(8);
            case FP8_DEFAULT_CFG, FP8_PER_CHANNEL_PER_TOKEN_CFG -> new Element.Floats(MiniFloat.E4M3);
            case INT4_BLOCKWISE_WEIGHT_ONLY_CFG -> Element.Integers.of(4);
        };
    }

    @Override
    public String label() {
        return "modelopt-" + config.name().toLowerCase(Locale.ROOT);
    }
}
