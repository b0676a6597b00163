package dev.halftone.cli;

import dev.halftone.DType;
import dev.halftone.format.gguf.GgufImport;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/// `halftone import`
@Command(
        name = "import",
        description =
                "Makes a Hugging Face folder of a GGUF file: weights dequantized, tokenizer and chat template rebuilt.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  halftone import SmolLM2-135M-Instruct.Q4_1.gguf --output-dir models/SmolLM2-135M-Instruct",
            "  halftone import model.gguf --output-dir models/mine --dtype fp32",
        })
final class ImportCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "FILE", description = "A .gguf file.")
    private Path file = Path.of("");

    @Option(names = "--output-dir", required = true, paramLabel = "DIR", description = "The new folder.")
    private Path outputDir = Path.of("");

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            defaultValue = "bf16",
            description = "Type of the weights: bf16 (the default), fp16 or fp32.")
    private String dtype = "bf16";

    @ParentCommand
    @SuppressWarnings("NullAway.Init") // by picocli
    private Main main;

    @Override
    public Integer call() {
        GgufImport.Summary summary = GgufImport.run(file, outputDir, DType.parse(dtype), false);
        main.console()
                .out()
                .println("Imported %s to %s: %s, %d tensors, %,d parameters in %s, %s"
                        .formatted(
                                file,
                                summary.folder(),
                                summary.architecture(),
                                summary.tensors(),
                                summary.parameters(),
                                summary.dtype().torchName(),
                                TextTable.size(summary.bytes())));
        return 0;
    }
}
