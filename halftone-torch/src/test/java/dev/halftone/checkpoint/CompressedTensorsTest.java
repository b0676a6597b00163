package dev.halftone.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.Schemes;
import dev.halftone.format.Json;
import dev.halftone.format.compressed.CompressedTensors;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.qat.InputCalibration;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizationPlan;
import dev.halftone.quant.Calibration;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Device;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.node.ObjectNode;

/// Folders of the real compressed-tensors, read here, and ours, read by the real transformers.
///
/// The second needs a Python with transformers, compressed-tensors and torch (`scripts/golden/requirements.txt`):
/// `-Dhalftone.python=/tmp/golden/bin/python`, or HALFTONE_PYTHON.
class CompressedTensorsTest {
    private static final long ONE_FILE = 1L << 30;
    private static final Tokens TOKENS = Tokens.of(1, 24, IntStream.range(3, 27).toArray());

    @TempDir
    Path dir;

    static Stream<Path> golden() throws IOException {
        try (Stream<Path> folders = Files.list(resource("compressed"))) {
            return folders.sorted().toList().stream();
        }
    }

    private static Path resource(String name) {
        try {
            return Path.of(
                    CompressedTensorsTest.class.getResource("/golden/" + name).toURI());
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    private static DType dtype(Path folder) {
        return DType.parse(
                Json.readObject(folder.resolve("config.json")).path("dtype").asString());
    }

    /// Within 1e-4 of the largest logit in float32, where an input that lies between two codes may fall to either side,
    /// and within 2 % in bfloat16, whose products are rounded in another order.
    @ParameterizedTest
    @MethodSource("golden")
    void whatCompressedTensorsWroteComputesWhatTransformersComputesWithIt(Path folder) {
        DType dtype = dtype(folder) == DType.F16 ? DType.F32 : dtype(folder);
        try (CausalLm model = Checkpoints.load(folder, dtype, Device.CPU)) {
            requireClose(logits(model), folder, dtype(folder));
        }
    }

    /// Codes, scales and zero points to the byte, and what `config.json` says of them.
    @ParameterizedTest
    @MethodSource("golden")
    void whatCompressedTensorsWroteIsWrittenAsItWas(Path folder) {
        Path copy = dir.resolve("copy");
        try (CausalLm model = Checkpoints.load(folder, dtype(folder), Device.CPU)) {
            QuantizedFolders.save(copy, model, folder, ONE_FILE);
        }
        try (HfFolder expected = HfFolder.open(folder);
                HfFolder actual = HfFolder.open(copy)) {
            assertThat(tensors(actual)).containsExactlyEntriesOf(tensors(expected));
            assertThat(said(actual)).isEqualTo(said(expected));
        }
    }

    private static Map<String, String> tensors(HfFolder folder) {
        Map<String, String> tensors = new TreeMap<>();
        for (String name : folder.tensorNames()) {
            byte[] bytes = folder.data(name).toArray(ValueLayout.JAVA_BYTE);
            tensors.put(
                    name,
                    folder.info(name).dtype()
                            + java.util.Arrays.toString(folder.info(name).shape())
                            + java.util.Arrays.hashCode(bytes));
        }
        return tensors;
    }

    /// Less the targets of several groups, which are paths where others have expressions.
    private static ObjectNode said(HfFolder folder) {
        ObjectNode config = ((ObjectNode) folder.config().path("quantization_config")).deepCopy();
        if (config.path("config_groups").size() > 1) {
            config.path("config_groups").forEach(group -> ((ObjectNode) group).remove("targets"));
        }
        return config;
    }

    @Test
    void transformersComputesWithAnArtifactWhatItComputesHere() throws Exception {
        String python = System.getProperty("halftone.python", System.getenv("HALFTONE_PYTHON"));
        assumeTrue(python != null, "no Python with transformers: give -Dhalftone.python or HALFTONE_PYTHON");
        Map<Path, float[]> expected = new TreeMap<>();
        Map<Path, QuantScheme> schemes = new TreeMap<>();
        for (QuantScheme scheme : Schemes.all()
                .filter(s -> CompressedTensors.group(s).isPresent())
                .toList()) {
            for (DType dtype : dtypes(scheme)) {
                Path artifact = dir.resolve(scheme.label() + "-" + dtype);
                schemes.put(artifact, scheme);
                expected.put(artifact, artifact(artifact, scheme, dtype));
            }
        }
        List<String> command = new ArrayList<>(List.of(python, "../scripts/golden/gen_compressed.py", "--logits"));
        expected.keySet().forEach(artifact -> command.add(artifact.toString()));
        Path log = dir.resolve("log");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        assertThat(process.waitFor()).as(() -> read(log)).isZero();
        expected.forEach((artifact, logits) -> requireClose(logits, artifact, dtype(artifact)));
    }

    /// e2m1 and MX become bfloat16 in compressed-tensors, which transformers multiplies with nothing else.
    private static List<DType> dtypes(QuantScheme scheme) {
        return CompressedTensors.format(scheme).exponents()
                        || CompressedTensors.format(scheme).codesDtype() == DType.U8
                ? List.of(DType.BF16)
                : List.of(DType.F32, DType.BF16);
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    private static float[] artifact(Path to, QuantScheme scheme, DType dtype) {
        Path original = resource("curves/model");
        try (CausalLm model = Checkpoints.load(original, dtype, Device.CPU)) {
            Qat.quantize(model, QuantizationPlan.of(scheme).excluding("model.layers.1.mlp.up_proj"));
            if (InputCalibration.missing(model)) {
                InputCalibration.run(model, Calibration.MINMAX, () -> logits(model));
            }
            QuantizedFolders.save(to, model, original, ONE_FILE);
            return logits(model);
        }
    }

    @Test
    void whatIsNotReadIsNamed() {
        String group = "/quantization_config/config_groups/group_0";
        refused("w8a8", "/quantization_config", c -> c.put("quant_method", "gptq"), "quantized by 'gptq'");
        refused("w8a8", group, g -> g.put("format", "marlin-24"), "the format 'marlin-24' is not read");
        refused(
                "w8a8",
                group,
                g -> g.put("format", "float-quantized"),
                "int weights are not stored as float-quantized");
        refused("w8a8", group, g -> g.putNull("weights"), "says nothing of weights");
        refused("w8a8", group, g -> g.putObject("output_activations"), "quantized outputs are not read");
        refused("w8a8", group + "/weights", w -> w.put("num_bits", 16), "has no scheme with weights");
        refused("w8a8", group + "/input_activations", i -> i.put("num_bits", 4), "has no scheme with weights");
        refused("fp8", group + "/weights", w -> w.put("strategy", "block"), "has no scheme with weights");
        refused("fp8", group, g -> g.putNull("input_activations"), "has no scheme with weights");
        refused("w4a16", group + "/weights", w -> w.put("actorder", "group"), "actorder group");
        refused("w4a16", group + "/weights", w -> w.put("num_bits", 8), "weight_packed' is I32");
        refused(
                "w4a16",
                "/quantization_config",
                c -> c.putObject("kv_cache_scheme").put("num_bits", 8),
                "kv_cache_scheme is not read");
        refused("w4a16", "/quantization_config", c -> c.putArray("ignore").add("re:.*q_proj"), "no group says how");
        refused("w4a16", "/quantization_config", c -> c.putArray("ignore").add("re:("), "is no regular expression");
    }

    private void refused(String golden, String at, Consumer<ObjectNode> change, String message) {
        Path source = resource("compressed/" + golden);
        Path altered = dir.resolve("altered");
        try {
            Files.createDirectories(altered);
            Files.copy(
                    source.resolve("model.safetensors"),
                    altered.resolve("model.safetensors"),
                    java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        ObjectNode config = Json.readObject(source.resolve("config.json"));
        change.accept((ObjectNode) config.at(at));
        Json.write(altered.resolve("config.json"), config);
        assertThatThrownBy(() -> Checkpoints.load(altered, DType.F32, Device.CPU))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }

    private static void requireClose(float[] actual, Path folder, DType dtype) {
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("logits.safetensors"));
                Scope _ = Scope.open()) {
            float[] expected = Torch.floats(Torch.of(file.data("logits"), DType.F32, 24, 256));
            double largest = 0;
            double difference = 0;
            for (int i = 0; i < expected.length; i++) {
                largest = Math.max(largest, Math.abs(expected[i]));
                difference = Math.max(difference, Math.abs(expected[i] - actual[i]));
            }
            System.err.printf("XX %s %.3g%n", folder.getFileName(), difference / largest);
            assertThat(difference / largest)
                    .as(folder.getFileName().toString())
                    .isCloseTo(0, within(dtype == DType.F32 ? 1e-4 : 2e-2));
        }
    }

    private static float[] logits(CausalLm model) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            return Torch.floats(model.logits(model.hidden(TOKENS)));
        }
    }
}
