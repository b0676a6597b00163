package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.checkpoint.QuantizedFolders;
import dev.halftone.config.Config;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.config.schema.QuantizeConfig;
import dev.halftone.format.Json;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.format.safetensors.TensorInfo;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.nn.Linear;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizationPlan;
import dev.halftone.qat.QuantizedWeight;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class QuantizeRecipeTest {
    private static final String QUANTIZER =
            "{_component_: Int8DynamicActivationIntxWeightConfig, weight_dtype: int4, groupsize: 32, exclude: []}";

    @TempDir
    Path dir;

    @ParameterizedTest
    @ValueSource(strings = {"fp32", "bf16"})
    void anArtifactIsCertifiedAgainstTheModelInMemory(String dtype) {
        QuantizeRecipe.Result result =
                Recipes.quantize(config(TinyRun.golden("model"), "artifact", dtype), Events.NONE);
        Certificate certificate = result.certificate();
        assertThat(certificate.holds()).isTrue();
        assertThat(certificate.layers()).isEqualTo(15);
        assertThat(certificate.equalCodes()).isEqualTo(certificate.codes()).isPositive();
        assertThat(certificate.outputs().maxAbsDiff()).isZero();
        assertThat(certificate.outputs().top1()).isEqualTo(1);
        assertThat(certificate.summary()).contains("8da4w-g32", "identical", "100.00 %");
        JsonNode json = Json.readObject(dir.resolve("artifact/certificate.json"));
        assertThat(json.get("holds").booleanValue()).isTrue();
        assertThat(json.get("sqnr_db").isNull()).isTrue();
        assertThat(dir.toFile().list()).containsExactly("artifact");
    }

    @Test
    void quantizingAModelTrainedInItsOwnDtypeGivesTheArtifactOfItsTraining() throws IOException {
        Path data = TinyRun.writeGoldenBatches(dir.resolve("data.jsonl"), "");
        String yaml = TinyRun.yaml(dir.resolve("run"), TinyRun.golden("model"), data) + "dtype: fp32\nquantizer: "
                + QUANTIZER;
        FinetuneRecipe.Result trained = Recipes.qat(
                Config.parse("test", yaml, List.of()).bind(FinetuneConfig.class).value(), Events.NONE);
        Recipes.quantize(config(trained.model(), "artifact", "fp32"), Events.NONE);
        assertThat(Files.readAllBytes(dir.resolve("artifact/model.safetensors")))
                .isEqualTo(Files.readAllBytes(trained.artifact().resolve("model.safetensors")));
    }

    @Test
    void anArtifactThatIsNotTheModelIsSetAside() {
        CausalLm prepared = Checkpoints.load(TinyRun.golden("model"), DType.F32, Device.CPU);
        Qat.prepare(
                prepared, QuantizationPlan.of(new IntxScheme(4, new Granularity.PerGroup(32), true, Numerics.TORCHAO)));
        Path artifact = dir.resolve("artifact");
        // Computing in another precision than the model was trained in is caught as any other fault would be.
        assertThatThrownBy(() -> CertifiedArtifact.write(
                        artifact, prepared, TinyRun.golden("model"), DType.F32, DType.BF16, Device.CPU, Events.NONE))
                .isInstanceOf(RunException.class)
                .hasMessageContaining("artifact.failed-certificate");
        assertThat(dir.toFile().list()).containsExactly("artifact.failed-certificate");
        JsonNode json = Json.readObject(dir.resolve("artifact.failed-certificate/certificate.json"));
        assertThat(json.get("holds").booleanValue()).isFalse();
        assertThat(json.get("equal_codes")).isEqualTo(json.get("codes"));
        assertThat(json.get("sqnr_db").doubleValue()).isBetween(20.0, 60.0);
    }

    @Test
    void anArtifactIsCertifiedAgainstItsCheckpointAndNoOther() throws IOException {
        Path artifact = dir.resolve("artifact");
        Recipes.quantize(config(TinyRun.golden("model"), "artifact", "fp32"), Events.NONE);
        Certificate good = CertifyRecipe.run(artifact, TinyRun.golden("model"), Device.CPU, Events.NONE);
        assertThat(good.holds()).isTrue();
        assertThat(good.outputs().perplexity())
                .isEqualTo(good.outputs().otherPerplexity())
                .isGreaterThan(1);

        Path weights = artifact.resolve("model.safetensors");
        byte[] bytes = Files.readAllBytes(weights);
        try (SafetensorsFile file = SafetensorsFile.open(weights)) {
            long data = bytes.length
                    - file.tensors().values().stream()
                            .mapToLong(TensorInfo::end)
                            .max()
                            .orElseThrow();
            TensorInfo codes = file.info("model.layers.1.mlp.down_proj.weight");
            // The lowest bit of one code.
            bytes[Math.toIntExact(data + codes.begin() + 5)] ^= 0x1;
        }
        Files.write(weights, bytes);
        Certificate corrupt = CertifyRecipe.run(artifact, TinyRun.golden("model"), Device.CPU, Events.NONE);
        assertThat(corrupt.holds()).isFalse();
        assertThat(corrupt.codes() - corrupt.equalCodes()).isOne();
        assertThat(corrupt.json().get("holds").booleanValue()).isFalse();
    }

    /// At the size of int4, widths of their own leave less of the error that the loss minds.
    @Test
    void searchedWidthsKeepTheSizeAndLoseLess() {
        String mixed = "{_component_: IntxWeightOnlyConfig, weight_dtype: int4, groupsize: 32, exclude: [], %s}";
        QuantizeConfig config = config(TinyRun.golden("model"), "mixed", "fp32", mixed.formatted("mixed_bits: auto"));
        Certificate certificate = Recipes.quantize(config, Events.NONE).certificate();
        assertThat(certificate.holds()).isTrue();
        assertThat(certificate.scheme()).contains(" + ");
        Map<String, QuantScheme> schemes =
                QuantizedFolders.contents(dir.resolve("mixed")).schemes();
        CausalLm model = Checkpoints.load(TinyRun.golden("model"), DType.F32, Device.CPU);
        double bits = 0;
        double weights = 0;
        for (var e : schemes.entrySet()) {
            long count = ((Linear) model.namedModules().get(e.getKey()))
                            .weight()
                            .shape()[0]
                    * ((Linear) model.namedModules().get(e.getKey())).weight().shape()[1];
            bits += (double) ((IntxScheme) e.getValue()).weightBits() * count;
            weights += count;
        }
        assertThat(bits / weights).isBetween(3.5, 4.0);
        assertThat(schemes.values().stream().distinct().count()).isGreaterThan(1);
        Recipes.quantize(
                config(TinyRun.golden("model"), "again", "fp32", mixed.formatted("mixed_bits: auto")), Events.NONE);
        assertThat(QuantizedFolders.contents(dir.resolve("again")).schemes()).isEqualTo(schemes);
        Recipes.quantize(
                config(TinyRun.golden("model"), "small", "fp32", mixed.formatted("mixed_bits: auto, average_bits: 2")),
                Events.NONE);
        assertThat(QuantizedFolders.contents(dir.resolve("small")).schemes().values())
                .allSatisfy(
                        scheme -> assertThat(((IntxScheme) scheme).weightBits()).isEqualTo(2));
    }

    @Test
    void codesOfAnotherModelAreCounted() {
        CausalLm trained = quantized(4);
        CausalLm other = quantized(4);
        ((QuantizedWeight) other.head().weight())
                .matrix()
                .parts()
                .getFirst()
                .select(0, 3)
                .zero_();
        var tokens = Tokens.of(1, 2, 3, 4);
        Certificate certificate = Certificate.of(Certificate.logits(trained, tokens), trained, other, tokens);
        assertThat(certificate.codes() - certificate.equalCodes()).isBetween(50L, 64L);
        assertThat(certificate.holds()).isFalse();
    }

    @Test
    void aFolderThatIsTakenIsRefusedBeforeAnyWeightIsRead() throws IOException {
        Files.createDirectories(dir.resolve("artifact"));
        Files.writeString(dir.resolve("artifact/precious"), "x");
        assertThatThrownBy(() -> Recipes.quantize(config(Path.of("nowhere"), "artifact", "fp32"), Events.NONE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("not empty");
        assertThat(dir.resolve("artifact/precious")).exists();
    }

    private static CausalLm quantized(int bits) {
        CausalLm model = Checkpoints.load(TinyRun.golden("model"), DType.F32, Device.CPU);
        Qat.quantize(
                model,
                QuantizationPlan.of(new IntxScheme(bits, new Granularity.PerGroup(32), false, Numerics.TORCHAO)));
        return model;
    }

    private QuantizeConfig config(Path model, String output, String dtype) {
        return config(model, output, dtype, QUANTIZER);
    }

    private QuantizeConfig config(Path model, String output, String dtype, String quantizer) {
        String yaml = "output_dir: %s\ncheckpoint_dir: %s\ndtype: %s\nquantizer: %s\n"
                .formatted(dir.resolve(output), model, dtype, quantizer);
        return Config.parse("test", yaml, List.of()).bind(QuantizeConfig.class).value();
    }
}
