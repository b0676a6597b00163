package dev.halftone.recipe;

import dev.halftone.InputException;
import dev.halftone.chat.ChatTemplate;
import dev.halftone.chat.Message;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.config.schema.GenerateConfig;
import dev.halftone.config.schema.PromptConfig;
import dev.halftone.generate.Generation;
import dev.halftone.generate.Generator;
import dev.halftone.generate.Sampling;
import dev.halftone.generate.TextGenerator;
import dev.halftone.model.CausalLm;
import dev.halftone.qat.GgufActivations;
import dev.halftone.tokenizer.Tokenizer;
import dev.halftone.tokenizer.Tokenizers;
import dev.halftone.torch.Device;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The recipe `generate`: lets a float model, the same after post-training quantization, or an artifact write.
public final class GenerateRecipe {
    private GenerateRecipe() {}

    /// What was written.
    ///
    /// @param promptTokens tokens of the prompt, the chat template's among them
    /// @param text without special tokens
    public record Result(int promptTokens, String text, Generation generation) {}

    /// Generates, and tells each piece of text as it comes.
    ///
    /// @throws InputException if the model cannot be read, has no chat template for a conversation, or
    ///     the prompt is too long
    public static Result run(GenerateConfig config, Events events) {
        Device device = Device.parse(config.device());
        try (ModelFolder folder = ModelFolder.of(config.checkpointDir(), config.dtype());
                Tokenizer tokenizer = Tokenizers.load(folder.dir())) {
            Optional<String> conversation = conversation(config, folder.dir());
            int[] prompt = conversation
                    .map(text -> tokenizer.encode(text, false))
                    .orElseGet(() -> tokenizer.encode(plainText(config), true));
            int maxNewTokens = maxNewTokens(config, prompt.length);
            events.line("Loading %s".formatted(config.checkpointDir()));
            try (CausalLm model = Checkpoints.load(config.checkpointDir(), config.dtype(), device)) {
                if (config.adapterDir() != null) {
                    MergeRecipe.merge(config.adapterDir(), model, events);
                }
                if (config.quantizer() != null) {
                    Calibrations.quantize(model, config.quantizer(), config.kernels(), folder.dir(), events);
                }
                if (config.int8Activations()) {
                    GgufActivations.quantize(model);
                }
                StringBuilder text = new StringBuilder();
                Generation generation = new TextGenerator(
                                new Generator(model, sampling(config), tokenizer.eosIds()), tokenizer)
                        .generate(prompt, maxNewTokens, piece -> {
                            text.append(piece);
                            events.text(piece);
                        });
                return new Result(prompt.length, text.toString(), generation);
            }
        }
    }

    private static Sampling sampling(GenerateConfig config) {
        Integer topK = config.topK();
        return new Sampling(config.temperature(), topK == null ? Sampling.ALL : topK, config.topP(), config.seed());
    }

    /// The messages as the model's chat template writes them; empty if the prompt is a plain text.
    private static Optional<String> conversation(GenerateConfig config, Path folder) {
        List<Message> messages = new ArrayList<>();
        config.messages().forEach(m -> messages.add(new Message(m.role(), m.content())));
        PromptConfig prompt = config.prompt();
        if (prompt != null && prompt.user() != null) {
            if (prompt.system() != null) {
                messages.add(new Message("system", prompt.system()));
            }
            messages.add(new Message("user", prompt.user()));
        }
        return messages.isEmpty()
                ? Optional.empty()
                : Optional.of(template(folder).render(messages, true, Map.of()));
    }

    private static ChatTemplate template(Path folder) {
        return ChatTemplate.load(folder)
                .orElseThrow(() -> new InputException(
                        "%s has no chat template, so it cannot answer messages. Give a text to continue: prompt='Once upon a time'."
                                .formatted(folder)));
    }

    private static String plainText(GenerateConfig config) {
        PromptConfig prompt = config.prompt();
        return prompt == null || prompt.text() == null ? "" : prompt.text();
    }

    private static int maxNewTokens(GenerateConfig config, int promptTokens) {
        Integer maxSeqLen = config.maxSeqLen();
        if (maxSeqLen == null) {
            return config.maxNewTokens();
        }
        if (promptTokens >= maxSeqLen) {
            throw new InputException(
                    "max_seq_len: the prompt has %d tokens, which leaves no room in %d. Set max_seq_len=%d or more."
                            .formatted(promptTokens, maxSeqLen, promptTokens + config.maxNewTokens()));
        }
        return Math.min(config.maxNewTokens(), maxSeqLen - promptTokens);
    }
}
