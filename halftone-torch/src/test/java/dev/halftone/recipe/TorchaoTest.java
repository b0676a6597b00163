package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.Python;
import dev.halftone.Schemes;
import dev.halftone.TinyModels;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.checkpoint.QuantizedFolders;
import dev.halftone.config.schema.ExportConfig;
import dev.halftone.format.ExportFormat;
import dev.halftone.format.Json;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.format.safetensors.TensorInfo;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizationPlan;
import dev.halftone.qat.QuantizedWeight;
import dev.halftone.quant.Float8Scheme;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Int4Scheme;
import dev.halftone.quant.Int8Scheme;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Device;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

/// Folders of torchao's tensors, read by the real transformers and torchao.
class TorchaoTest {
    private static final Tokens TOKENS = Tokens.of(1, 24, IntStream.range(3, 27).toArray());

    private static final String TABLE = "model.embed_tokens";
    private static final QuantScheme INT4 = new IntxScheme(4, new Granularity.PerGroup(32), false, Numerics.TORCHAO);

    /// Of logits, relative to the largest: the order of sums makes 2e-6.
    private static final double SUMS = 1e-5;
    /// Where products are in bfloat16, or an input that lies on the edge of a step of 8 bits falls on either
    /// side as sums are ordered, and all that follows differs by as much as the rounding makes: 0.065 at
    /// most.
    private static final double ROUNDING = 0.1;

    static {
        TinyRun.oneThread();
    }

    @TempDir
    Path dir;

    @Test
    void transformersLoadsTheValuesAndComputesTheLogits() throws IOException {
        Python python = Python.orSkip();
        Map<Path, Double> folders = new LinkedHashMap<>();
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            for (QuantScheme scheme :
                    Schemes.all().filter(ExportFormat.TORCHAO::fits).toList()) {
                QuantizationPlan body = QuantizationPlan.of(scheme).excluding("lm_head");
                double tolerance = dtype == DType.F32 && scheme.activations(dtype) == null ? SUMS : ROUNDING;
                folders.put(export(scheme.label() + "-" + dtype, "{}", dtype, body), tolerance);
            }
        }
        QuantizationPlan all = QuantizationPlan.of(INT4).including("*", TABLE);
        folders.put(export("tied", "{\"tie_word_embeddings\": true}", DType.F32, all), SUMS);
        folders.put(export("all", "{}", DType.F32, all), SUMS);
        QuantizationPlan several = QuantizationPlan.of(new Int8Scheme(false))
                .excluding("lm_head")
                .and(QuantizationPlan.of(INT4).including("*.mlp.*", TABLE));
        folders.put(export("several", "{}", DType.F32, several), ROUNDING);
        python.run(Python.script(TorchaoTest.class, "torchao/load.py"), "", List.copyOf(folders.keySet()));
        folders.forEach(TorchaoTest::compare);
    }

    private static void compare(Path folder, double tolerance) {
        DType dtype = QuantizedFolders.contents(folder).weightDtype();
        try (CausalLm ours = Checkpoints.load(folder, dtype, Device.CPU);
                SafetensorsFile theirs = SafetensorsFile.open(folder.resolve("loaded.safetensors"));
                Scope _ = Scope.open()) {
            Map<String, QuantizedWeight> weights = QuantizedFolders.distinct(ours);
            boolean multiplied = weights.values().stream().noneMatch(w -> onGpusAlone(w.scheme()));
            assertThat(theirs.tensors()).hasSize(weights.size() + (multiplied ? 1 : 0));
            weights.forEach((layer, w) -> {
                TensorInfo info = theirs.info(layer + ".weight");
                assertThat(info.dtype()).isEqualTo(dtype);
                boolean equal = Torch.of(theirs.data(layer + ".weight"), info.dtype(), info.shape())
                        .eq(w.value())
                        .all()
                        .item_bool();
                assertThat(equal).as("%s of %s", layer, folder).isTrue();
            });
            if (multiplied) {
                TensorInfo info = theirs.info("logits");
                float[] actual = Torch.floats(Torch.of(theirs.data("logits"), info.dtype(), info.shape()));
                double apart = Apart.of(Certificate.logits(ours, TOKENS), actual);
                assertThat(apart).as("%s", folder).isLessThan(tolerance);
            }
        }
    }

    /// torchao has no kernels for their products on a CPU.
    private static boolean onGpusAlone(QuantScheme scheme) {
        return scheme instanceof Int4Scheme || scheme instanceof Float8Scheme;
    }

    @Test
    void whatIsNoTensorOfTheArtifactsSchemeIsRefused() throws IOException {
        Path folder = export("mine", "{}", DType.F32, QuantizationPlan.of(INT4).excluding("lm_head"));
        Path config = folder.resolve("config.json");
        String said = Files.readString(config);
        Files.writeString(config, said.replaceFirst("(\"weight_bits\"\\s*:\\s*)4", "$13"));
        assertThatThrownBy(() -> Checkpoints.load(folder, DType.F32, Device.CPU))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("it is no tensor of int3wo-g32");
        ObjectNode theirs = Json.parseObject(said);
        theirs.remove("halftone");
        Json.write(config, theirs);
        assertThatThrownBy(() -> Checkpoints.load(folder, DType.F32, Device.CPU))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("was quantized by torchao");
    }

    private Path export(String name, String keys, DType dtype, QuantizationPlan plan) throws IOException {
        Path folder = TinyModels.write(dir.resolve("model-" + name), "llama", keys);
        Path artifact = dir.resolve("artifact-" + name);
        try (CausalLm model = Checkpoints.load(folder, dtype, Device.CPU)) {
            Qat.quantize(model, plan);
            QuantizedFolders.save(artifact, model, folder, Long.MAX_VALUE);
        }
        ExportConfig config = new ExportConfig(dir.resolve(name), artifact, ExportFormat.TORCHAO, false);
        return Recipes.export(config, Events.NONE).output();
    }
}
