package dev.halftone.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.AllSchemes;
import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.Schemes;
import dev.halftone.format.Json;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.format.hf.HfWriter;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Models;
import dev.halftone.model.Tokens;
import dev.halftone.nn.Embedding;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.Targets;
import dev.halftone.qat.InputCalibration;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizationPlan;
import dev.halftone.qat.QuantizedLayer;
import dev.halftone.qat.QuantizedWeight;
import dev.halftone.quant.Calibration;
import dev.halftone.quant.CompressedIntScheme;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Int8Scheme;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.QuantScheme;
import dev.halftone.quant.StaticActivationScheme;
import dev.halftone.torch.Device;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

class CheckpointsTest {
    private static final long ONE_FILE = 1L << 30;
    private static final Tokens TOKENS = Tokens.of(2, 5, new int[] {3, 250, 17, 99, 4, 8, 8, 120, 61, 7});

    @TempDir
    Path dir;

    @Test
    void anUntouchedFloatModelIsSavedAsItWas() throws IOException {
        Path original = model();
        CausalLm model = Checkpoints.load(original, DType.F32, Device.CPU);
        Checkpoints.saveFloat(dir.resolve("one"), model, original, ONE_FILE, false);
        Checkpoints.saveFloat(dir.resolve("several"), model, original, 100_000, false);
        assertThat(Files.readAllBytes(dir.resolve("one/model.safetensors")))
                .isEqualTo(Files.readAllBytes(original.resolve("model.safetensors")));
        assertThat(Json.readObject(dir.resolve("one/config.json")))
                .isEqualTo(Json.readObject(original.resolve("config.json")));
        assertThat(dir.resolve("several/model.safetensors.index.json")).exists();
        assertThat(logits(Checkpoints.load(dir.resolve("several"), DType.F32, Device.CPU)))
                .containsExactly(logits(model));
    }

    @Test
    void aModelTrainedInFloat32GoesBackToTheDtypeItCameIn() {
        Path original = dir.resolve("bf16");
        write(Models.initialise(config(), 1, DType.BF16, Device.CPU), config(), original);
        CausalLm model = Checkpoints.load(original, DType.F32, Device.CPU);
        Qat.prepare(model, QuantizationPlan.of(scheme(4, 32, true)));
        Checkpoints.saveFloat(dir.resolve("trained"), model, original, ONE_FILE, false);
        try (HfFolder a = HfFolder.open(original);
                HfFolder b = HfFolder.open(dir.resolve("trained"))) {
            assertThat(b.tensorNames()).containsExactlyElementsOf(a.tensorNames());
            for (String name : a.tensorNames()) {
                assertThat(b.info(name).dtype()).isEqualTo(DType.BF16);
                assertThat(b.data(name).toArray(ValueLayout.JAVA_BYTE))
                        .isEqualTo(a.data(name).toArray(ValueLayout.JAVA_BYTE));
            }
        }
    }

    @AllSchemes
    void anArtifactComputesWhatTheQuantizedModelComputes(QuantScheme scheme) {
        Path original = dir.resolve("float");
        ObjectNode config = config(Schemes.unit(scheme));
        write(Models.initialise(config, 1, DType.F32, Device.CPU), config, original);
        for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
            CausalLm model = Checkpoints.load(original, dtype, Device.CPU);
            Qat.quantize(model, QuantizationPlan.of(scheme).excluding("model.layers.0.*"));
            if (InputCalibration.missing(model)) {
                InputCalibration.run(model, Calibration.MINMAX, () -> logits(model));
            }
            float[] quantized = logits(model);
            Path artifact = dir.resolve(scheme.label() + dtype);
            QuantizedFolders.save(artifact, model, original, ONE_FILE);
            CausalLm loaded = Checkpoints.load(artifact, dtype, Device.CPU);
            assertThat(logits(loaded)).containsExactly(quantized);
            QuantizedWeight before = (QuantizedWeight) model.head().weight();
            QuantizedWeight after = (QuantizedWeight) loaded.head().weight();
            assertThat(Torch.longs(after.quantized().codes()))
                    .containsExactly(Torch.longs(before.quantized().codes()));
            assertThat(Torch.floats(after.quantized().scale()))
                    .containsExactly(Torch.floats(before.quantized().scale()));
            assertThat(after.scheme()).isEqualTo(scheme);
            assertThat(loaded.namedModules().get("model.layers.0.mlp.up_proj"))
                    .isInstanceOfSatisfying(
                            Linear.class, l -> assertThat(l.inputTransform()).isNull());
        }
    }

    @Test
    void presetsOfCompressedTensorsAreWrittenAsItWritesThem() {
        for (boolean symmetric : new boolean[] {true, false}) {
            CausalLm model = Checkpoints.load(model(), DType.BF16, Device.CPU);
            Qat.quantize(
                    model, QuantizationPlan.of(CompressedIntScheme.w4a16(new Granularity.PerGroup(32), symmetric)));
            Path artifact = dir.resolve("w4a16" + symmetric);
            QuantizedFolders.save(artifact, model, model(), ONE_FILE);
            ObjectNode config = Json.readObject(artifact.resolve("config.json"));
            assertThat(config.at("/quantization_config/quant_method").asString())
                    .isEqualTo("compressed-tensors");
            assertThat(config.at("/quantization_config/config_groups/group_0/weights/symmetric")
                            .asBoolean())
                    .isEqualTo(symmetric);
            assertThat(config.at("/quantization_config/config_groups/group_0/input_activations")
                            .isNull())
                    .isTrue();
            try (HfFolder folder = HfFolder.open(artifact)) {
                String zeroPoint = "model.layers.0.mlp.up_proj.weight_zero_point";
                assertThat(folder.tensorNames().contains(zeroPoint)).isEqualTo(!symmetric);
                if (!symmetric) {
                    long[] scales = folder.info("model.layers.0.mlp.up_proj.weight_scale")
                            .shape();
                    assertThat(folder.info(zeroPoint).dtype()).isEqualTo(DType.I32);
                    assertThat(folder.info(zeroPoint).shape()).containsExactly((scales[0] + 7) / 8, scales[1]);
                }
            }
        }
    }

    @Test
    void aStaticScaleIsStoredWhereCompressedTensorsLooksForIt() {
        QuantScheme w8a8 = new StaticActivationScheme(CompressedIntScheme.w8a8());
        QuantScheme asymmetric = new StaticActivationScheme(new Int8Scheme(true));
        for (QuantScheme scheme : List.of(w8a8, asymmetric)) {
            CausalLm quantized = Checkpoints.load(model(), DType.BF16, Device.CPU);
            Qat.quantize(quantized, QuantizationPlan.of(scheme));
            InputCalibration.run(quantized, Calibration.MINMAX, () -> logits(quantized));
            Path artifact = dir.resolve(scheme.label());
            QuantizedFolders.save(artifact, quantized, model(), ONE_FILE);
            try (HfFolder folder = HfFolder.open(artifact)) {
                String up = "model.layers.0.mlp.up_proj";
                assertThat(folder.info(up + ".input_scale").dtype()).isEqualTo(DType.F32);
                assertThat(folder.info(up + ".input_scale").shape()).containsExactly(1);
                assertThat(folder.has(up + ".input_zero_point")).isEqualTo(scheme.equals(asymmetric));
            }
        }
        ObjectNode config = Json.readObject(dir.resolve(w8a8.label()).resolve("config.json"));
        JsonNode activations = config.at("/quantization_config/config_groups/group_0/input_activations");
        assertThat(activations.path("dynamic").asBoolean()).isFalse();
        assertThat(activations.path("strategy").asString()).isEqualTo("tensor");
    }

    @Test
    void layersOfSeveralSchemesShareAnArtifact() {
        CausalLm model = Checkpoints.load(model(), DType.F32, Device.CPU);
        Qat.prepare(
                model,
                QuantizationPlan.of(scheme(4, 32, true))
                        .excluding("lm_head")
                        .and(QuantizationPlan.of(scheme(8, 16, false)).including("*.down_proj")));
        float[] trained = logits(model);
        Qat.convert(model);
        QuantizedFolders.save(dir.resolve("artifact"), model, model(), ONE_FILE);
        CausalLm loaded = Checkpoints.load(dir.resolve("artifact"), DType.F32, Device.CPU);
        assertThat(logits(loaded)).containsExactly(trained);
        ObjectNode config = Json.readObject(dir.resolve("artifact/config.json"));
        assertThat(config.at("/quantization_config/config_groups").size()).isEqualTo(2);
        assertThat(config.at("/quantization_config/config_groups/group_1/targets/0")
                        .asString())
                .isEqualTo("model.layers.0.mlp.down_proj");
    }

    @Test
    void aTiedTableIsQuantizedOnceForBothOfItsUses() {
        ObjectNode config = config().put("tie_word_embeddings", true);
        Path original = dir.resolve("tied");
        write(Models.initialise(config, 1, DType.F32, Device.CPU), config, original);
        QuantizationPlan plan = QuantizationPlan.of(scheme(8, 32, false))
                .including("*", "model.embed_tokens")
                .excluding("lm_head");
        for (DType compute : new DType[] {DType.F32, DType.BF16}) {
            CausalLm model = Checkpoints.load(original, DType.F32, compute, Device.CPU);
            float[] inFloat = logits(model);
            assertThat(Qat.prepare(model, plan))
                    .extracting(QuantizedLayer::name)
                    .contains("model.embed_tokens", "lm_head");
            float[] trained = logits(model);
            assertThat(trained).isNotEqualTo(inFloat);
            Qat.convert(model);
            assertThat(logits(model)).containsExactly(trained);
            Path artifact = dir.resolve("artifact" + compute);
            QuantizedFolders.save(artifact, model, original, ONE_FILE);
            assertThat(Json.readObject(artifact.resolve("config.json"))
                            .get("tie_word_embeddings")
                            .booleanValue())
                    .isTrue();
            CausalLm loaded = Checkpoints.load(artifact, DType.F32, compute, Device.CPU);
            assertThat(logits(loaded)).containsExactly(trained);
            assertThat(loaded.head().weight())
                    .isSameAs(((Embedding) loaded.namedModules().get("model.embed_tokens")).weight());
        }
    }

    @Test
    void anEmbeddingOfItsOwnIsQuantizedWhereItsPathIsWrittenOut() {
        CausalLm model = Checkpoints.load(model(), DType.F32, Device.CPU);
        QuantizationPlan plan = QuantizationPlan.of(scheme(4, 32, true)).including("*", "model.embed_tokens");
        assertThat(Qat.prepare(model, plan))
                .extracting(QuantizedLayer::name)
                .first()
                .isEqualTo("model.embed_tokens");
        Parameter table = model.namedParameters().get("model.embed_tokens.weight");
        table.setTrainable(true);
        model.lossAndBackward(Tokens.of(1, 2, 3, 4), Targets.shifted(1, 4, new int[] {1, 2, 3, 4}), 3);
        assertThat(Torch.floats(table.gradient()))
                .contains(0)
                .isNotEqualTo(new float[Math.toIntExact(table.master().numel())]);
        float[] trained = logits(model);
        Qat.convert(model);
        QuantizedFolders.save(dir.resolve("artifact"), model, model(), ONE_FILE);
        assertThat(logits(Checkpoints.load(dir.resolve("artifact"), DType.F32, Device.CPU)))
                .containsExactly(trained);
    }

    @Test
    void float32MastersComputedInBfloat16SurviveTheArtifact() {
        CausalLm model = Checkpoints.load(model(), DType.F32, Device.CPU);
        model.setComputeDtype(DType.BF16);
        Qat.prepare(model, QuantizationPlan.of(scheme(4, 32, true)));
        float[] trained = logits(model);
        Qat.convert(model);
        QuantizedFolders.save(dir.resolve("artifact"), model, model(), ONE_FILE);
        CausalLm loaded = Checkpoints.load(dir.resolve("artifact"), DType.F32, DType.BF16, Device.CPU);
        assertThat(logits(loaded)).containsExactly(trained);
    }

    @Test
    void aClosedModelHoldsNoWeight() {
        CausalLm model = Checkpoints.load(model(), DType.F32, Device.CPU);
        Parameter table = model.namedParameters().get("model.embed_tokens.weight");
        Qat.quantize(model, QuantizationPlan.of(scheme(4, 32, true)));
        QuantizedWeight head = (QuantizedWeight) model.head().weight();
        logits(model);
        model.close();
        model.close();
        assertThat(table.master().isNull()).isTrue();
        assertThat(head.matrix().parts()).hasSize(2).allMatch(t -> t.isNull());
    }

    @Test
    void aTiedHeadThatIsQuantizedIsNoLongerTied() {
        ObjectNode config = config().put("tie_word_embeddings", true);
        Path original = dir.resolve("tied");
        write(Models.initialise(config, 1, DType.F32, Device.CPU), config, original);
        for (boolean head : new boolean[] {true, false}) {
            CausalLm model = Checkpoints.load(original, DType.F32, Device.CPU);
            QuantizationPlan plan = QuantizationPlan.of(scheme(4, 32, true));
            Qat.quantize(model, head ? plan : plan.excluding("lm_head"));
            Path artifact = dir.resolve("artifact" + head);
            QuantizedFolders.save(artifact, model, original, ONE_FILE);
            ObjectNode written = Json.readObject(artifact.resolve("config.json"));
            assertThat(written.get("tie_word_embeddings").booleanValue()).isEqualTo(!head);
            assertThat(written.at("/quantization_config/ignore").size()).isEqualTo(head ? 0 : 1);
            assertThat(logits(Checkpoints.load(artifact, DType.F32, Device.CPU)))
                    .containsExactly(logits(model));
        }
    }

    /// Those of versions that packed all codes alike say nothing of a format.
    @Test
    void anArtifactWithoutAFormatIsPacked() {
        CausalLm model = Checkpoints.load(model(), DType.F32, Device.CPU);
        Qat.quantize(model, QuantizationPlan.of(scheme(4, 32, false)));
        Path artifact = dir.resolve("artifact");
        QuantizedFolders.save(artifact, model, model(), ONE_FILE);
        ObjectNode config = Json.readObject(artifact.resolve("config.json"));
        ((ObjectNode) config.at("/halftone/schemes/0")).remove("format");
        Json.write(artifact.resolve("config.json"), config);
        assertThat(logits(Checkpoints.load(artifact, DType.F32, Device.CPU))).containsExactly(logits(model));
    }

    @Test
    void anArtifactThatIsNoneIsRefused() {
        CausalLm model = Checkpoints.load(model(), DType.F32, Device.CPU);
        Qat.quantize(model, QuantizationPlan.of(scheme(4, 32, false)));
        QuantizedFolders.save(dir.resolve("artifact"), model, model(), ONE_FILE);
        Path config = dir.resolve("artifact/config.json");
        ObjectNode good = Json.readObject(config);
        refused(good, "/halftone/schemes/0", s -> s.put("type", "fp4"), "does not know the scheme");
        refused(
                good,
                "/halftone/schemes/0",
                s -> s.put("type", "gguf").put("lattice", "q9_9"),
                "does not know the lattice");
        refused(
                good,
                "/halftone/schemes/0",
                s -> s.put("type", "mx").put("weights", "mxfp5"),
                "does not know the format 'mxfp5'");
        refused(
                good,
                "/halftone/schemes/0",
                s -> s.put("type", "mx").put("weights", "mxfp4").putNull("activations"),
                "does not know the scaling_mode");
        refused(good, "/halftone/schemes/0", s -> s.put("type", "nvfp4"), "does not know the scheme");
        refused(good, "/halftone/schemes/0", s -> s.put("weight_bits", 3), "weight_packed' is I32");
        refused(good, "/halftone/schemes/0", s -> s.put("weight_bits", 30), "int30 is not supported");
        refused(good, "/halftone/schemes/0", s -> s.put("group_size", 16), "weight_scale' is F32");
        refused(good, "/halftone/schemes/0", s -> s.put("group_size", 7), "groups of 7 do not divide");
        refused(good, "/halftone/schemes/0", s -> s.put("numerics", "mine"), "does not know the numerics");
        refused(good, "/halftone/schemes/0", s -> s.put("numerics", "ggml"), "intN has none of ggml");
        refused(good, "/halftone/schemes/0", s -> s.put("numerics", "fbgemm"), "intN has none of fbgemm");
        refused(good, "/halftone/schemes/0", s -> s.put("type", "int4"), "does not know the scheme");
        refused(good, "/halftone/schemes/0", s -> s.put("type", "int8"), "does not know the scheme");
        refused(good, "/halftone/schemes/0", s -> s.put("type", "compressed_int"), "does not know the scheme");
        refused(good, "/halftone", s -> s.put("weight_dtype", "bfloat16"), "weight_scale' is F32");
        refused(good, "/halftone", s -> s.put("weight_dtype", "int8"), "weight_dtype");
        refused(good, "", s -> s.put("hidden_size", 128), "asks for");
        refused(good, "/halftone/schemes/0", s -> s.put("format", "int-quantized"), "has no tensor");
        refused(good, "/halftone/schemes/0", s -> s.put("format", "sparse"), "does not know the scheme");
    }

    private void refused(ObjectNode good, String at, Consumer<ObjectNode> change, String message) {
        ObjectNode bad = good.deepCopy();
        change.accept((ObjectNode) bad.at(at));
        Json.write(dir.resolve("artifact/config.json"), bad);
        assertThatThrownBy(() -> Checkpoints.load(dir.resolve("artifact"), DType.F32, Device.CPU))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }

    private static IntxScheme scheme(int bits, int group, boolean activations) {
        return new IntxScheme(bits, new Granularity.PerGroup(group), activations, Numerics.TORCHAO);
    }

    private static Path model() {
        try {
            return Path.of(
                    CheckpointsTest.class.getResource("/golden/curves/model").toURI());
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    private static ObjectNode config() {
        return Json.readObject(model().resolve("config.json"));
    }

    /// @param unit of the inputs of every layer
    private static ObjectNode config(int unit) {
        return config().put("hidden_size", 2 * unit)
                .put("intermediate_size", 3 * unit)
                .put("head_dim", unit / 2);
    }

    private static void write(CausalLm model, ObjectNode config, Path to) {
        try (TensorFiles.Source source = new TensorFiles.Source()) {
            HfWriter.write(
                    to,
                    config,
                    model.namedParameters().entrySet().stream()
                            .map(e -> source.entry(
                                    e.getKey(),
                                    e.getValue().master(),
                                    e.getValue().dtype()))
                            .toList(),
                    ONE_FILE,
                    null,
                    false);
        }
    }

    private static float[] logits(CausalLm model) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            return Torch.floats(model.logits(model.hidden(TOKENS)));
        }
    }
}
