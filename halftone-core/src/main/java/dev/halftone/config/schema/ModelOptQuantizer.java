package dev.halftone.config.schema;

import dev.halftone.InputException;
import dev.halftone.config.Component;
import dev.halftone.config.Inline;
import dev.halftone.config.Key;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.ModelOptScheme;
import dev.halftone.quant.QuantScheme;
import java.util.Locale;
import java.util.Optional;

/// ModelOpt's configurations of int8, float8 and int4.
@Component(value = "ModelOptQuantizer", doc = "a configuration of ModelOpt's `mtq.quantize`, by its name there")
public record ModelOptQuantizer(
        @Key("its name; int8_default_cfg and fp8_default_cfg calibrate the inputs, the others take no such keys")
        ModelOptScheme.Config config,

        @Inline CalibrationConfig calibration,

        @Inline LayerSelection layers,

        @Key(
                value = "gradient of clamped values: `identity`, or ModelOpt's pass_through_bwd=False, `closed`",
                otherwise = "identity")
        GradientRule gradientRule)
        implements QuantizerConfig.OneScheme {
    public ModelOptQuantizer {
        if (!calibration.equals(CalibrationConfig.DEFAULT) && !new ModelOptScheme(config).staticActivations()) {
            throw new InputException(
                    "calibration: %s has no static activations. Remove the keys calibration…, or use int8_default_cfg or fp8_default_cfg."
                            .formatted(config.name().toLowerCase(Locale.ROOT)));
        }
    }

    @Override
    public Optional<CalibrationConfig> calibrated() {
        return scheme().staticActivations() ? Optional.of(calibration) : Optional.empty();
    }

    @Override
    public QuantScheme scheme() {
        return new ModelOptScheme(config);
    }
}
