package dev.halftone.config.schema;

import dev.halftone.DType;
import dev.halftone.config.Foreign;
import dev.halftone.config.Key;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// The recipe `merge`: a model and an adapter become one model, in float or quantized.
@Foreign(value = "resume_from_checkpoint", why = "there is nothing to resume", harmless = "false")
@Foreign(value = "seed", why = "merging draws no random numbers")
public record MergeConfig(
        @Key(value = "the folder of what comes of it, new or empty", also = "checkpointer.output_dir")
        Path outputDir,

        @Key(
                value = "a Hugging Face folder: the float model that the adapter was trained on",
                also = "checkpointer.checkpoint_dir")
        Path checkpointDir,

        @Key("an adapter in PEFT's format, such as the adapter_0 of a run")
        Path adapterDir,

        @Key(value = "what the merged model is quantized to; null leaves it in float", otherwise = "null") @Nullable
        QuantizerConfig quantizer,

        @Key(
                value =
                        "type of the weights before they are rounded, bf16 or fp32; null takes that of the adapter, which is that of its training",
                otherwise = "null")
        @Nullable
        DType dtype,

        @Key(value = "where it runs: cpu, cuda or cuda:N", otherwise = "cpu")
        String device,

        @Key(
                value = "implementation of the quantization kernels; null takes vector on the CPU and aten elsewhere",
                otherwise = "null")
        @Nullable
        KernelChoice kernels)
        implements RecipeConfig {
    public MergeConfig {
        if (dtype != null) {
            Check.dtype("dtype", dtype);
        }
    }
}
