package dev.halftone.config.schema;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.config.Foreign;
import dev.halftone.config.Key;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The recipe `eval`: measures a model or an artifact by the rules of lm-evaluation-harness.
@Foreign(value = "enable_kv_cache", why = "perplexity reads each window once, so there is nothing to cache")
@Foreign(
        value = {"output_dir", "checkpointer.output_dir"},
        why = "results go to standard output, with --json as one document")
@Foreign(value = "batch_size", why = "windows are read one at a time, which changes no result")
@Foreign(value = "resume_from_checkpoint", why = "there is nothing to resume", harmless = "false")
@Foreign(value = "seed", why = "perplexity draws no random numbers")
@Foreign(
        value = {"apply_chat_template", "chat_template"},
        why = "documents are measured as they stand",
        harmless = "false")
public record EvalConfig(
        @Key(
                value =
                        "a Hugging Face folder: a float model, an artifact that `quantize` wrote, or what `export` made of it; or a .gguf file",
                also = "checkpointer.checkpoint_dir")
        Path checkpointDir,

        @Key(value = "what to measure", otherwise = "[perplexity]")
        List<EvalTask> tasks,

        @Key(value = "the texts that perplexity is measured on, each file one document", otherwise = "[]")
        List<Path> dataFiles,

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

        @Key(value = "tokens of one window", otherwise = "2048", also = "max_seq_length")
        int maxSeqLen,

        @Key(value = "how many documents, from the first; null takes all", otherwise = "null") @Nullable
        Integer limit)
        implements RecipeConfig {
    public EvalConfig {
        Check.dtype("dtype", dtype);
        Check.atLeast("max_seq_len", maxSeqLen, 2);
        Check.atLeast("limit", limit, 1);
        if (tasks.isEmpty()) {
            throw new InputException("tasks: the list is empty. Set tasks=[perplexity].");
        }
        if (tasks.contains(EvalTask.PERPLEXITY) && dataFiles.isEmpty()) {
            throw new InputException("data_files: perplexity needs texts. Set data_files=[a.txt,b.txt].");
        }
    }
}
