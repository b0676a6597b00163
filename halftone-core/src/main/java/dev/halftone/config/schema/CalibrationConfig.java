package dev.halftone.config.schema;

import dev.halftone.InputException;
import dev.halftone.config.schema.QuantizerConfig.OneScheme;
import dev.halftone.quant.Calibration;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// What the keys `calibration…` of a quantizer with static activations say.
///
/// @param batches how many are run, at most
/// @param text a file that they come from; null takes the data of the run, or, where it has none, a text of our own
public record CalibrationConfig(
        Calibration how, int batches, @Nullable Path text) {
    public CalibrationConfig {
        Check.atLeast("calibration_batches", batches, 1);
    }

    static Optional<CalibrationConfig> of(
            Calibration.Method method, double percentile, int batches, @Nullable Path text) {
        return Optional.of(new CalibrationConfig(new Calibration(method, percentile), batches, text));
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
