package dev.halftone.recipe;

import dev.halftone.InputException;
import dev.halftone.config.schema.CalibrationConfig;
import dev.halftone.config.schema.KernelChoice;
import dev.halftone.config.schema.QuantizerConfig;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.nn.Targets;
import dev.halftone.qat.InputCalibration;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizationPlan;
import dev.halftone.quant.Calibration;
import dev.halftone.tokenizer.Tokenizer;
import dev.halftone.tokenizer.Tokenizers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Finds the scales of static activations, where a quantizer has such.
final class Calibrations {
    /// Tokens of a batch of a text.
    private static final int WINDOW = 512;

    private Calibrations() {}

    /// Gives a prepared model its scales, from `calibration_text` or the text of the certificate.
    ///
    /// @param folder of the model and its tokenizer
    static void run(CausalLm model, QuantizerConfig quantizer, Path folder, Events events) {
        run(model, quantizer, folder, List.of(), events);
    }

    /// The same, from these batches where the quantizer names no text.
    ///
    /// @param data none for the text of the certificate
    static void run(CausalLm model, QuantizerConfig quantizer, Path folder, List<Tokens> data, Events events) {
        Optional<CalibrationConfig> config = quantizer.calibrated();
        if (config.isEmpty()) {
            return;
        }
        CalibrationConfig c = config.get();
        List<Tokens> batches = c.calibrationText() != null
                ? windows(c.calibrationText(), c.calibrationBatches(), folder, model)
                : data.isEmpty() ? List.of(certificateText(folder, model)) : data;
        List<String> layers = InputCalibration.run(model, c.how(), () -> batches.forEach(b -> pass(model, b)));
        events.line("Calibrated the inputs of %d layers on %d batches (%s)"
                .formatted(
                        layers.size(),
                        batches.size(),
                        c.how().method() == Calibration.Method.PERCENTILE
                                ? "percentile %s".formatted(c.how().percentile())
                                : c.how().method().name().toLowerCase(Locale.ROOT)));
    }

    /// Quantizes a float model in memory, as the recipe `quantize` would.
    static void quantize(
            CausalLm model, QuantizerConfig quantizer, @Nullable KernelChoice kernels, Path folder, Events events) {
        QuantizationPlan plan = Plans.of(quantizer, kernels, model, folder, events);
        if (quantizer.calibrated().isEmpty()) {
            Qat.quantize(model, plan);
        } else {
            Qat.prepare(model, plan);
            run(model, quantizer, folder, events);
            Qat.convert(model);
        }
    }

    /// The head too, some positions at a time.
    private static void pass(CausalLm model, Tokens tokens) {
        model.losses(tokens, Targets.shifted(tokens.batchSize(), tokens.seqLen(), tokens.ids()));
    }

    private static Tokens certificateText(Path folder, CausalLm model) {
        return CertificateText.tokens(
                folder, model.config().vocabSize(), model.config().maxPositions());
    }

    private static List<Tokens> windows(Path text, int batches, Path folder, CausalLm model) {
        int[] ids;
        try (Tokenizer tokenizer = Tokenizers.load(folder)) {
            ids = tokenizer.encode(Files.readString(text), false);
        } catch (IOException e) {
            throw new InputException(
                    "calibration_text: %s cannot be read (%s). Give a text file in UTF-8."
                            .formatted(text, e.getMessage()),
                    e);
        }
        int size = Math.min(WINDOW, model.config().maxPositions());
        List<Tokens> windows = new ArrayList<>();
        // A window of one token predicts nothing.
        for (int from = 0; from + 1 < ids.length && windows.size() < batches; from += size) {
            windows.add(Tokens.of(Arrays.copyOfRange(ids, from, Math.min(ids.length, from + size))));
        }
        if (windows.isEmpty()) {
            throw new InputException(
                    "calibration_text: %s is empty. Give a text of some hundred words.".formatted(text));
        }
        return windows;
    }
}
