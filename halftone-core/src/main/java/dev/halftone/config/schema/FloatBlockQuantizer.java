package dev.halftone.config.schema;

import dev.halftone.config.Component;
import dev.halftone.config.Foreign;
import dev.halftone.config.Inline;
import dev.halftone.config.Key;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.MxFormat;
import dev.halftone.quant.MxScaleMode;
import dev.halftone.quant.MxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.Nvfp4Scheme;
import dev.halftone.quant.QuantScheme;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Blocks of small floats with a scale each: MX and NVFP4.
public sealed interface FloatBlockQuantizer extends QuantizerConfig.OneScheme {
    /// No clamp stops it.
    @Override
    default GradientRule gradientRule() {
        return GradientRule.IDENTITY;
    }

    /// torchao's `MXDynamicActivationMXWeightConfig`.
    @Component(
            value = "MXDynamicActivationMXWeightConfig",
            doc = "weights and activations in microscaling (MX) formats, activations on the fly")
    @Foreign(value = "block_size", why = "MX blocks have 32 values", harmless = "32")
    @Foreign(value = "kernel_preference", why = "products run on the values that codes stand for, on any device")
    record MxDynamicActivationMxWeight(
            @Key(value = Docs.MX_FORMAT, otherwise = "mxfp8_e4m3")
            MxFormat activationDtype,

            @Key(value = "format of the weights, of the same kinds", otherwise = "mxfp8_e4m3")
            MxFormat weightDtype,

            @Key(value = Docs.MX_SCALES, otherwise = "rceil")
            MxScaleMode scalingMode,

            @Key(value = Docs.MX_NUMERICS, otherwise = "null") @Nullable
            Numerics numerics,

            @Inline LayerSelection layers)
            implements FloatBlockQuantizer {
        public MxDynamicActivationMxWeight {
            numerics = numerics == null ? MxScheme.numerics(weightDtype) : numerics;
            new MxScheme(weightDtype, activationDtype, scalingMode, numerics);
        }

        @Override
        public QuantScheme scheme() {
            return new MxScheme(weightDtype, activationDtype, scalingMode, Objects.requireNonNull(numerics));
        }
    }

    /// MX weights under activations in float, which torchao does not have.
    @Component(value = "MXWeightOnlyConfig", doc = "weights in a microscaling (MX) format, activations in float")
    @Foreign(value = "block_size", why = "MX blocks have 32 values", harmless = "32")
    record MxWeightOnly(
            @Key(value = Docs.MX_FORMAT, otherwise = "mxfp8_e4m3")
            MxFormat weightDtype,

            @Key(value = Docs.MX_SCALES, otherwise = "rceil")
            MxScaleMode scalingMode,

            @Key(value = Docs.MX_NUMERICS, otherwise = "null") @Nullable
            Numerics numerics,

            @Inline LayerSelection layers)
            implements FloatBlockQuantizer {
        public MxWeightOnly {
            numerics = numerics == null ? MxScheme.numerics(weightDtype) : numerics;
            new MxScheme(weightDtype, null, scalingMode, numerics);
        }

        @Override
        public QuantScheme scheme() {
            return new MxScheme(weightDtype, null, scalingMode, Objects.requireNonNull(numerics));
        }
    }

    /// torchao's `NVFP4DynamicActivationNVFP4WeightConfig`.
    @Component(
            value = "NVFP4DynamicActivationNVFP4WeightConfig",
            doc = "weights and activations in NVFP4, activations on the fly")
    @Foreign(value = "use_triton_kernel", why = "products run on the values that codes stand for, on any device")
    record Nvfp4DynamicActivationNvfp4Weight(
            @Key(value = Docs.NVFP4_SCALES, otherwise = "true")
            boolean useDynamicPerTensorScale,

            @Key(value = Docs.NVFP4_NUMERICS, otherwise = "torchao")
            Numerics numerics,

            @Inline LayerSelection layers)
            implements FloatBlockQuantizer {
        public Nvfp4DynamicActivationNvfp4Weight {
            new Nvfp4Scheme(true, useDynamicPerTensorScale, numerics);
        }

        @Override
        public QuantScheme scheme() {
            return new Nvfp4Scheme(true, useDynamicPerTensorScale, numerics);
        }
    }

    /// torchao's `NVFP4WeightOnlyConfig`.
    @Component(value = "NVFP4WeightOnlyConfig", doc = "weights in NVFP4, activations in float")
    record Nvfp4WeightOnly(
            @Key(value = Docs.NVFP4_SCALES, otherwise = "true")
            boolean useDynamicPerTensorScale,

            @Key(value = Docs.NVFP4_NUMERICS, otherwise = "torchao")
            Numerics numerics,

            @Inline LayerSelection layers)
            implements FloatBlockQuantizer {
        public Nvfp4WeightOnly {
            new Nvfp4Scheme(false, useDynamicPerTensorScale, numerics);
        }

        @Override
        public QuantScheme scheme() {
            return new Nvfp4Scheme(false, useDynamicPerTensorScale, numerics);
        }
    }
}
