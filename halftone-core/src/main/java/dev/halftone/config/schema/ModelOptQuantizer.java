package dev.halftone.config.schema;

import dev.halftone.InputException;
import dev.halftone.config.Component;
import dev.halftone.config.Inline;
import dev.halftone.config.Key;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.ModelOptScheme;
import dev.halftone.quant.QuantScheme;
import java.util.Locale;

/// ModelOpt's configurations of int8, float8 and int4.
@Component(value = "ModelOptQuantizer", doc = "a configuration of ModelOpt's `mtq.quantize`, by its name there")
public record ModelOptQuantizer(
        @Key("one whose inputs need no calibration: the others are refused")
        ModelOptScheme.Config config,

        @Inline LayerSelection layers,

        @Key(
                value = "gradient of clamped values: `identity`, or ModelOpt's pass_through_bwd=False, `closed`",
                otherwise = "identity")
        GradientRule gradientRule)
        implements QuantizerConfig.OneScheme {
    public ModelOptQuantizer {
        if (new ModelOptScheme(config).calibrated()) {
            throw new InputException(
                    "config: %s calibrates the ranges of inputs, which this version does not. Use one of fp8_per_channel_per_token_cfg, int8_weight_only_cfg, int4_blockwise_weight_only_cfg."
                            .formatted(config.name().toLowerCase(Locale.ROOT)));
        }
    }

    @Override
    public QuantScheme scheme() {
        return new ModelOptScheme(config);
    }
}
