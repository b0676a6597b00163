package dev.halftone.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
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
import dev.halftone.quant.Numerics;
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
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
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

    @ParameterizedTest
    @MethodSource("golden")
    void whatCompressedTensorsWroteComputesWhatTransformersComputesWithIt(Path folder) {
        DType dtype = dtype(folder) == DType.F16 ? DType.F32 : dtype(folder);
        try (CausalLm model = Checkpoints.load(folder, dtype, Device.CPU)) {
            assertThat(error(logits(model), folder)).isLessThan(dtype(folder) == DType.F32 ? 1e-5 : 1e-2);
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
                            + Arrays.toString(folder.info(name).shape())
                            + Arrays.hashCode(bytes));
        }
        return tensors;
    }

    /// Less what calibration alone reads, and the targets of several groups, which are paths where others have
    /// expressions.
    private static ObjectNode said(HfFolder folder) {
        ObjectNode config = ((ObjectNode) folder.config().path("quantization_config")).deepCopy();
        boolean several = config.path("config_groups").size() > 1;
        config.path("config_groups").forEach(group -> {
            if (several) {
                ((ObjectNode) group).remove("targets");
            }
            if (group.path("input_activations") instanceof ObjectNode inputs) {
                inputs.remove("observer");
            }
        });
        return config;
    }

    @Test
    void transformersComputesWithAnArtifactWhatItComputesHere() throws Exception {
        String python = System.getProperty("halftone.python", System.getenv("HALFTONE_PYTHON"));
        assumeTrue(python != null, "no Python with transformers: give -Dhalftone.python or HALFTONE_PYTHON");
        Map<Path, float[]> expected = new TreeMap<>();
        Map<Path, QuantScheme> schemes = new HashMap<>();
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
        Map<String, Double> beyond = new TreeMap<>();
        expected.forEach((artifact, logits) -> {
            double error = error(logits, artifact);
            if (!(error < tolerance(schemes.get(artifact), dtype(artifact)))) {
                beyond.put(artifact.getFileName().toString(), error);
            }
        });
        assertThat(beyond).isEmpty();
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
                    StandardCopyOption.REPLACE_EXISTING);
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

    /// torchao's inputs go through compressed-tensors' formulas, which put a value on the border of two codes
    /// to the other side, as the largest of a token with symmetric int8 always is; and transformers rounds
    /// float32 scales to bfloat16.
    private static double tolerance(QuantScheme scheme, DType dtype) {
        boolean same = scheme.activations(dtype) == null || scheme.numerics() == Numerics.COMPRESSED_TENSORS;
        if (dtype == DType.F32) {
            return same ? 1e-5 : 2e-2;
        }
        return same ? 1e-2 : 6e-2;
    }

    /// How far logits are from those that transformers left in a folder: the norm of the difference, relative
    /// to theirs.
    private static double error(float[] actual, Path folder) {
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("logits.safetensors"));
                Scope _ = Scope.open()) {
            float[] expected = Torch.floats(Torch.of(file.data("logits"), DType.F32, 24, 256));
            double difference = 0;
            double norm = 0;
            for (int i = 0; i < expected.length; i++) {
                // One-bit weights of this model give no numbers, there and here.
                if (Float.isNaN(expected[i]) && Float.isNaN(actual[i])) {
                    continue;
                }
                difference += Math.pow(expected[i] - actual[i], 2);
                norm += Math.pow(expected[i], 2);
            }
            return norm == 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm);
        }
    }

    private static float[] logits(CausalLm model) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            return Torch.floats(model.logits(model.hidden(TOKENS)));
        }
    }
}
