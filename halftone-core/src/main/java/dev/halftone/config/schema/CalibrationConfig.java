package dev.halftone.config.schema;

import dev.halftone.InputException;
import dev.halftone.config.Key;
import dev.halftone.config.schema.QuantizerConfig.OneScheme;
import dev.halftone.quant.Calibration;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// How the scales of static activations are found.
public record CalibrationConfig(
        @Key(
                value =
                        "how the range of a layer's inputs is found: `minmax`, `percentile` of their magnitudes, or `mse`, the one with the least squared error",
                otherwise = "minmax")
        Calibration.Method calibration,

        @Key(value = "per cent of the magnitudes that lie in that range, under `percentile`", otherwise = "99.99")
        double calibrationPercentile,

        @Key(value = "batches that the float model is run on to find it, at most", otherwise = "16")
        int calibrationBatches,

        @Key(
                value =
                        "a text file that those come from, 512 tokens each; null takes the run's dataset, or a text of Halftone's own where there is none",
                otherwise = "null")
        @Nullable
        Path calibrationText) {
    /// What a quantizer that says nothing gets.
    public static final CalibrationConfig DEFAULT = new CalibrationConfig(Calibration.Method.MINMAX, 99.99, 16, null);

    public CalibrationConfig {
        Check.atLeast("calibration_batches", calibrationBatches, 1);
        new Calibration(calibration, calibrationPercentile);
    }

    /// Method and percentile.
    public Calibration how() {
        return new Calibration(calibration, calibrationPercentile);
    }

    /// What the parts of a quantizer have in common: the model is run for all of them at once.
    ///
    /// @throws InputException if two of them differ
    static Optional<CalibrationConfig> common(List<OneScheme> parts) {
        List<CalibrationConfig> all = parts.stream()
                .flatMap(part -> part.calibrated().stream())
                .distinct()
                .toList();
        if (all.size() > 1) {
            throw new InputException(
                    "calibration: two quantizers with static activations are calibrated differently. Give both the same keys calibration, calibration_percentile, calibration_batches and calibration_text.");
        }
        return all.stream().findFirst();
    }
}
