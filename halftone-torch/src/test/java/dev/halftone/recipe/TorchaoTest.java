package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.halftone.DType;
import dev.halftone.Schemes;
import dev.halftone.TinyModels;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.checkpoint.QuantizedFolders;
import dev.halftone.config.schema.ExportConfig;
import dev.halftone.format.ExportFormat;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.format.safetensors.TensorInfo;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizationPlan;
import dev.halftone.qat.QuantizedWeight;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Device;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Folders of torchao's tensors, read by the real transformers and torchao: `-Dhalftone.python`, or
/// HALFTONE_PYTHON.
class TorchaoTest {
    private static final Tokens TOKENS = Tokens.of(1, 24, IntStream.range(3, 27).toArray());

    static {
        TinyRun.oneThread();
    }

    @TempDir
    Path dir;

    @Test
    void transformersLoadsTheValuesAndComputesTheLogits() throws Exception {
        String python = System.getProperty("halftone.python", System.getenv("HALFTONE_PYTHON"));
        assumeTrue(python != null, "no Python with transformers: give -Dhalftone.python or HALFTONE_PYTHON");
        Map<Path, QuantScheme> folders = new LinkedHashMap<>();
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            for (QuantScheme scheme :
                    Schemes.all().filter(ExportFormat.TORCHAO::fits).toList()) {
                QuantizationPlan body = QuantizationPlan.of(scheme).excluding("lm_head");
                folders.put(export(scheme.label() + "-" + dtype, "llama", dtype, body), scheme);
            }
        }
        List<String> command = new ArrayList<>(List.of(python, script().toString()));
        folders.keySet().forEach(folder -> command.add(folder.toString()));
        Path log = dir.resolve("log");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        assertThat(process.waitFor()).as(() -> read(log)).isZero();
        Map<String, String> apart = new LinkedHashMap<>();
        folders.forEach((folder, scheme) -> compare(folder, scheme, apart));
        System.err.println(apart);
    }

    private void compare(Path folder, QuantScheme scheme, Map<String, String> apart) {
        DType dtype = QuantizedFolders.contents(folder).weightDtype();
        try (CausalLm ours = Checkpoints.load(folder, dtype, Device.CPU);
                SafetensorsFile theirs = SafetensorsFile.open(folder.resolve("loaded.safetensors"));
                Scope _ = Scope.open()) {
            Map<String, QuantizedWeight> weights = QuantizedFolders.distinct(ours);
            assertThat(weights).hasSize(theirs.tensors().size() - 1);
            weights.forEach((layer, w) -> {
                TensorInfo info = theirs.info(layer + ".weight");
                assertThat(info.dtype()).isEqualTo(dtype);
                boolean equal = Torch.of(theirs.data(layer + ".weight"), info.dtype(), info.shape())
                        .eq(w.value())
                        .all()
                        .item_bool();
                assertThat(equal).as("%s of %s", layer, folder).isTrue();
            });
            float[] expected = Certificate.logits(ours, TOKENS);
            TensorInfo info = theirs.info("logits");
            float[] actual = Torch.floats(Torch.of(theirs.data("logits"), info.dtype(), info.shape()));
            apart.put(folder.getFileName().toString(), "%.1e".formatted(apart(expected, actual)));
        }
    }

    private static double apart(float[] expected, float[] actual) {
        assertThat(actual).hasSameSizeAs(expected);
        double largest = 0;
        double apart = 0;
        for (int i = 0; i < expected.length; i++) {
            largest = Math.max(largest, Math.abs(expected[i]));
            apart = Math.max(apart, Math.abs(expected[i] - actual[i]));
        }
        return apart / largest;
    }

    private Path export(String name, String family, DType dtype, QuantizationPlan plan) throws IOException {
        Path folder = dir.resolve(family);
        if (Files.notExists(folder)) {
            TinyModels.write(folder, family, "{\"num_hidden_layers\": 2}");
        }
        Path artifact = dir.resolve("artifact-" + name);
        try (CausalLm model = Checkpoints.load(folder, dtype, Device.CPU)) {
            Qat.quantize(model, plan);
            QuantizedFolders.save(artifact, model, folder, Long.MAX_VALUE);
        }
        ExportConfig config = new ExportConfig(dir.resolve(name), artifact, ExportFormat.TORCHAO, false);
        return Recipes.export(config, Events.NONE).output();
    }

    private static Path script() throws URISyntaxException {
        return Path.of(Objects.requireNonNull(TorchaoTest.class.getResource("/torchao/load.py"))
                .toURI());
    }

    private static String read(Path log) {
        try {
            return Files.readString(log);
        } catch (IOException e) {
            return e.toString();
        }
    }
}
