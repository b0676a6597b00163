package dev.halftone.cli;

import dev.halftone.RunException;
import dev.halftone.format.Json;
import dev.halftone.recipe.Certificate;
import dev.halftone.recipe.CertifyRecipe;
import dev.halftone.torch.Device;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/// `halftone certify`
@Command(
        name = "certify",
        description = {
            "Proves that an artifact is what a float checkpoint becomes when it is quantized: the same codes and scales,"
                    + " and the same outputs on real text.",
            "`quantize` and `qat` do this by themselves at their end. The checkpoint must hold the weights in the dtype"
                    + " that they were trained in: a bfloat16 copy of float32 weights quantizes to other codes.",
        },
        footerHeading = "%nExamples:%n",
        footer = "  halftone certify runs/int4 --against runs/full/epoch_0")
final class CertifyCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "ARTIFACT", description = "A folder that quantize or qat wrote.")
    private Path artifact = Path.of("");

    @Option(
            names = "--against",
            required = true,
            paramLabel = "CHECKPOINT",
            description = "The float model folder that it was made from.")
    private Path checkpoint = Path.of("");

    @Option(names = "--device", paramLabel = "DEVICE", description = "cpu (the default), cuda or cuda:N.")
    private String device = "cpu";

    @Option(names = "--json", description = "Print the certificate as JSON.")
    private boolean json;

    @ParentCommand
    @SuppressWarnings("NullAway.Init") // by picocli
    private Main main;

    @Override
    public Integer call() {
        Console console = main.console();
        Certificate certificate =
                CertifyRecipe.run(artifact, checkpoint, Device.parse(device), new ConsoleEvents(console, false));
        if (json) {
            console.out().print(Json.pretty(certificate.json()));
        } else {
            console.out().println((certificate.holds() ? "Certified: " : "Not certified: ") + certificate.summary());
        }
        if (!certificate.holds()) {
            throw new RunException(
                    "%s is not what %s becomes when it is quantized. Certify it against the checkpoint that it was made from, in the dtype that was trained."
                            .formatted(artifact, checkpoint));
        }
        return 0;
    }
}
