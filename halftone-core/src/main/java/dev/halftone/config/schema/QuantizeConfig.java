package dev.halftone.config.schema;

import dev.halftone.DType;
import dev.halftone.config.Foreign;
import dev.halftone.config.Key;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// The recipe `quantize`: a float model, trained for it or not, becomes a quantized artifact.
@Foreign(value = "resume_from_checkpoint", why = "there is nothing to resume", harmless = "false")
@Foreign(value = "seed", why = "quantizing draws no random numbers")
public record QuantizeConfig(
        @Key(value = "the artifact's folder, new or empty", also = "checkpointer.output_dir")
        Path outputDir,

        @Key(value = "a Hugging Face folder: the float model and its tokenizer", also = "checkpointer.checkpoint_dir")
        Path checkpointDir,

        @Key("what is quantized, and to what") QuantizerConfig quantizer,

        @Key(
                value = "type of what stays in float, and of the weights before they are rounded: bf16 or fp32",
                otherwise = "bf16")
        DType dtype,

        @Key(value = "where it runs: cpu, cuda or cuda:N", otherwise = "cpu")
        String device,

        @Key(
                value = "implementation of the quantization kernels; null takes vector on the CPU and aten elsewhere",
                otherwise = "null")
        @Nullable
        KernelChoice kernels)
        implements RecipeConfig {
    public QuantizeConfig {
        Check.dtype("dtype", dtype);
    }
}
