package dev.halftone.recipe;

import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.checkpoint.PeftFolders;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.config.schema.LoraConfig;
import dev.halftone.config.schema.LoraConfig.LoraForm;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.nn.FrozenWeight;
import dev.halftone.peft.Adapters;
import dev.halftone.peft.Lora;
import dev.halftone.peft.LoraSettings;
import dev.halftone.qat.Qat;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/// The adapters of a run, at its beginning and at its end.
final class RunAdapters {
    private RunAdapters() {}

    /// Gives a model the adapters that a configuration asks for.
    static void attach(FinetuneConfig config, CausalLm model, Events events) {
        LoraConfig c = config.lora();
        int rank = Objects.requireNonNull(c.loraRank());
        LoraForm form = c.loraForm() != null
                ? c.loraForm()
                : config.quantizer() != null || c.useDora() ? LoraForm.MERGED : LoraForm.SEPARATE;
        LoraSettings settings = new LoraSettings(
                rank,
                c.loraAlpha() == null ? 2.0 * rank : c.loraAlpha(),
                c.useRslora(),
                c.useDora(),
                c.loraDropout(),
                switch (form) {
                    case MERGED -> LoraSettings.Form.MERGED;
                    case SEPARATE -> LoraSettings.Form.SEPARATE;
                });
        boolean packed = model.namedWeights().values().stream().anyMatch(FrozenWeight.class::isInstance);
        if (packed && (c.trainBase() || form == LoraForm.MERGED)) {
            throw new InputException(
                    "checkpoint_dir: the weights of %s stay packed, and can be neither trained nor changed. Set train_base=false, use_dora=false and lora_form=separate, or give a model in float."
                            .formatted(config.checkpointDir()));
        }
        List<String> layers = Adapters.attach(model, settings, c.globs(), config.seed());
        if (c.adapterDir() != null) {
            PeftFolders.load(c.adapterDir(), model);
        }
        events.line("Adapting %d layers with rank %d, %s"
                .formatted(layers.size(), rank, form.name().toLowerCase(Locale.ROOT)));
    }

    /// Makes adapters part of the weights. In the merged form that changes no bit; in the separate one
    /// quantizing the sums gives another model than the one that was trained: says by how much.
    ///
    /// @throws RunException if adapters in the merged form changed anything
    ///
    /// @param folder of the model's tokenizer
    static Agreement merge(Path folder, CausalLm model, Events events) {
        boolean merged = Adapters.of(model).values().stream().anyMatch(Lora::active);
        Tokens tokens = CertificateText.tokens(
                folder, model.config().vocabSize(), model.config().maxPositions());
        Qat.setActive(model, true);
        float[] trained = Certificate.logits(model, tokens);
        Adapters.merge(model);
        Agreement drift = Agreement.of(trained, Certificate.logits(model, tokens), tokens.ids());
        if (!merged) {
            events.line("Merging the separate adapters changed the model: " + drift.summary());
        } else if (drift.maxAbsDiff() != 0) {
            throw new RunException(
                    "Merging the adapters changed what the model computes (%s). Report it.".formatted(drift.summary()));
        }
        return drift;
    }
}
