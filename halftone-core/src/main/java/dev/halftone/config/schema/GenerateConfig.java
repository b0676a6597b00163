package dev.halftone.config.schema;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.config.Foreign;
import dev.halftone.config.Key;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The recipe `generate`: lets a model or an artifact write.
@Foreign(value = "resume_from_checkpoint", why = "there is nothing to resume", harmless = "false")
@Foreign(value = "enable_kv_cache", why = "the cache is always used and changes no result")
@Foreign(
        value = {"output_dir", "checkpointer.output_dir"},
        why = "nothing is written")
public record GenerateConfig(
        @Key(
                value =
                        "a Hugging Face folder: a float model, an artifact that `quantize` wrote, or what `export` made of it; or a .gguf file",
                also = "checkpointer.checkpoint_dir")
        Path checkpointDir,

        @Key(value = "a text to continue, or `{system: …, user: …}` to answer by the chat template", otherwise = "null")
        @Nullable
        PromptConfig prompt,

        @Key(
                value = "a longer conversation to answer, in place of the prompt: `[{role: user, content: …}, …]`",
                otherwise = "[]")
        List<MessageConfig> messages,

        @Key(value = "tokens to write at most", otherwise = "300")
        int maxNewTokens,

        @Key(value = "how freely tokens are drawn; 0 always takes the likeliest", otherwise = "1.0")
        double temperature,

        @Key(value = "draws from the likeliest so many tokens; null from all", otherwise = "null") @Nullable
        Integer topK,

        @Key(value = "draws from the likeliest tokens that have this probability together", otherwise = "1.0")
        double topP,

        @Key(value = "what the draws come from", otherwise = "1234")
        long seed,

        @Key(
                value = "an adapter in PEFT's format, merged into the model in memory before all else; null is none",
                otherwise = "null")
        @Nullable
        Path adapterDir,

        @Key(value = "quantizes a float model in memory first (post-training quantization)", otherwise = "null")
        @Nullable
        QuantizerConfig quantizer,

        @Key(value = Docs.INT8_ACTIVATIONS, otherwise = "false")
        boolean int8Activations,

        @Key(value = "type to compute in: bf16 or fp32", otherwise = "bf16")
        DType dtype,

        @Key(value = "where it runs: cpu, cuda or cuda:N", otherwise = "cpu")
        String device,

        @Key(
                value = "implementation of the quantization kernels; null takes vector on the CPU and aten elsewhere",
                otherwise = "null")
        @Nullable
        KernelChoice kernels,

        @Key(value = "tokens of prompt and answer together; null takes the model's own limit", otherwise = "null")
        @Nullable
        Integer maxSeqLen)
        implements RecipeConfig {
    public GenerateConfig {
        Check.dtype("dtype", dtype);
        Check.atLeast("max_new_tokens", maxNewTokens, 1);
        Check.atLeast("temperature", temperature, 0);
        Check.atLeast("top_k", topK, 1);
        Check.above("top_p", topP, 0);
        Check.atMost("top_p", topP, 1);
        Check.atLeast("max_seq_len", maxSeqLen, 2);
        if (prompt == null && messages.isEmpty()) {
            throw new InputException(
                    "prompt: there is nothing to answer. Set prompt.user='Tell me a joke.' or give messages.");
        }
        if (prompt != null && !messages.isEmpty()) {
            throw new InputException(
                    "messages: there is a prompt too, and only one of them can be answered. Remove the prompt (~prompt), or the messages.");
        }
    }
}
