package dev.halftone.config.schema;

import dev.halftone.config.Foreign;
import dev.halftone.config.Key;
import dev.halftone.format.ExportFormat;
import java.nio.file.Path;

/// The recipe `export`: an artifact becomes what another program loads.
@Foreign(value = "resume_from_checkpoint", why = "there is nothing to resume", harmless = "false")
@Foreign(value = "seed", why = "exporting draws no random numbers")
@Foreign(value = "dtype", why = "the artifact says what its weights are")
@Foreign(value = "device", why = "packing runs on the CPU", harmless = "cpu")
public record ExportConfig(
        @Key(value = "the file or folder that is written, by the format's nature", also = "checkpointer.output_dir")
        Path output,

        @Key(
                value = "an artifact, such as `qat` and `quantize` write, and its tokenizer",
                also = "checkpointer.checkpoint_dir")
        Path checkpointDir,

        @Key(
                "what is written: `gguf` (llama.cpp's file), `compressed-tensors` (vLLM's folder), `onnx` (onnxruntime's), `torchao` (transformers' with torchao's tensors) or `hf` (a Hugging Face folder in float)")
        ExportFormat format,

        @Key(value = "whether a file or model folder that is there is replaced", otherwise = "false")
        boolean replace)
        implements RecipeConfig {}
