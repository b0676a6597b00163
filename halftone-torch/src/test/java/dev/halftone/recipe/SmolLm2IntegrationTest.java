package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.halftone.DType;
import dev.halftone.Golden;
import dev.halftone.TestModels;
import dev.halftone.config.Config;
import dev.halftone.config.schema.EvalConfig;
import dev.halftone.config.schema.EvalTask;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.config.schema.QuantizeConfig;
import dev.halftone.eval.Perplexity;
import dev.halftone.format.Json;
import dev.halftone.format.gguf.GgufImport;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/// The real SmolLM2-135M-Instruct, measured and fine-tuned by the recipes, where `scripts/fetch-test-models.sh`
/// has fetched it. The figures are those of lm-evaluation-harness 0.4.13 over transformers 5.23 and torchao 0.18.
@Tag("integration")
@Tag("slow")
class SmolLm2IntegrationTest {
    private static final String INT3 = "{_component_: IntxWeightOnlyConfig, weight_dtype: int3, groupsize: 32}";
    private static final String INT4_CHANNEL =
            "{_component_: IntxWeightOnlyConfig, weight_dtype: int4, groupsize: channel}";
    private static final String INT8_INT4 =
            "{_component_: Int8DynamicActivationIntxWeightConfig, weight_dtype: int4, groupsize: 32}";

    @TempDir
    private static Path folder;

    private static Path texts;
    private static Path model;

    private @TempDir Path dir;

    @BeforeAll
    static void importTheModel() {
        texts = TestModels.stateOfTheUnion();
        model = folder.resolve("SmolLM2");
        GgufImport.run(TestModels.smolLm2(), model, DType.BF16, false);
    }

    /// Rolling windows of 2048 tokens over three addresses; the tolerance is that of the golden data. It is meant
    /// for all documents together: the harness rounds a document's bfloat16 log-likelihood to steps of 32, and
    /// where activations are quantized two orders of summation round apart within a few layers.
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "f32/base            | fp32 | 0.1 |",
                "f32/8da4w_g32_body  | fp32 | 1   | " + INT8_INT4,
                "f32/int3_g32_body   | fp32 | 1   | " + INT3,
                "f32/int4_channel_body | fp32 | 1 | " + INT4_CHANNEL,
                "bf16/base           | bf16 | 1   |",
                "bf16/8da4w_g32_body | bf16 | 1   | " + INT8_INT4,
            })
    void perplexityIsThatOfTheHarness(String variant, String dtype, double percent, String quantizer) {
        JsonNode golden = Json.readObject(Golden.path("perplexity/perplexity.json"));
        JsonNode expected = golden.get("variants").get(variant).get("rolling2048");
        List<String> files = new ArrayList<>();
        golden.get("texts").forEach(text -> files.add(text.get("file").asString()));
        Perplexity actual = evaluate(model, dtype, quantizer, files);
        assertThat(actual.total().wordPerplexity())
                .isCloseTo(expected.get("word_perplexity").asDouble(), withinPercentage(percent));
        assertThat(actual.total().bitsPerByte())
                .isCloseTo(expected.get("bits_per_byte").asDouble(), withinPercentage(percent));
        if (dtype.equals("fp32") && quantizer == null) {
            for (int i = 0; i < files.size(); i++) {
                assertThat(actual.documents().get(i).wordPerplexity())
                        .as(files.get(i))
                        .isCloseTo(
                                expected.get("documents")
                                        .get(i)
                                        .get("word_perplexity")
                                        .asDouble(),
                                withinPercentage(percent));
            }
        }
    }

    @Test
    void anArtifactMeasuresAsItsQuantizationInMemory() {
        Path artifact = dir.resolve("artifact");
        String yaml = "output_dir: '%s'\ncheckpoint_dir: '%s'\ndtype: fp32\nquantizer: %s\n"
                .formatted(artifact, model, INT8_INT4);
        Recipes.quantize(
                Config.parse("test", yaml, List.of()).bind(QuantizeConfig.class).value(), Events.NONE);
        List<String> file = List.of("1799_john_adams_f.txt");
        assertThat(evaluate(artifact, "fp32", null, file).total().wordPerplexity())
                .isEqualTo(evaluate(model, "fp32", INT8_INT4, file).total().wordPerplexity());
    }

    /// The study of `docs/tutorial/smollm2.md`, shortened from 80 steps to 12: the same configurations, the same
    /// order of the rows. Float fine-tuning then PTQ is the honest baseline.
    @Test
    void aDozenStepsOfTheStudyPutItsRowsInOrder() {
        FinetuneConfig full = study("full", "full");
        FinetuneConfig qat = study("qat_int3", "int3");
        Path tuned = Recipes.full(full, Events.NONE).model();
        FinetuneRecipe.Result trained = Recipes.qat(qat, Events.NONE);
        assertThat(trained.certificate().holds()).isTrue();

        List<String> heldOut = List.of("1964_lyndon_b_johnson_d.txt");
        double base = evaluate(model, "fp32", null, heldOut).total().wordPerplexity();
        double floating = evaluate(tuned, "fp32", null, heldOut).total().wordPerplexity();
        double ptq = evaluate(tuned, "fp32", INT3, heldOut).total().wordPerplexity();
        double recovered =
                evaluate(trained.artifact(), "fp32", null, heldOut).total().wordPerplexity();
        assertThat(floating).isLessThan(base);
        assertThat(ptq).isGreaterThan(3 * floating);
        // The share of the degradation that is won back: 70 % and more after 80 steps.
        assertThat((ptq - recovered) / (ptq - floating)).isGreaterThan(0.3);
    }

    private FinetuneConfig study(String config, String output) {
        Path shipped = Path.of(System.getProperty("halftone.root"), "configs/smollm2_135M", config + ".yaml");
        return Config.load(
                        shipped,
                        List.of(
                                "checkpoint_dir='%s'".formatted(model),
                                "output_dir='%s'".formatted(dir.resolve(output)),
                                "dataset.data_files=['%s']".formatted(texts.resolve("1965_lyndon_b_johnson_d.txt")),
                                "max_steps_per_epoch=12",
                                "lr_scheduler.num_warmup_steps=1",
                                "optimizer.lr=5e-5"))
                .bind(FinetuneConfig.class)
                .value();
    }

    private static Perplexity evaluate(Path model, String dtype, String quantizer, List<String> files) {
        String yaml = "checkpoint_dir: '%s'\ndata_files: %s\ndtype: %s\nmax_seq_len: 2048\n%s"
                .formatted(
                        model,
                        files.stream().map(f -> "'" + texts.resolve(f) + "'").toList(),
                        dtype,
                        quantizer == null ? "" : "quantizer: " + quantizer);
        EvalConfig config =
                Config.parse("test", yaml, List.of()).bind(EvalConfig.class).value();
        return Recipes.eval(config, Events.NONE).tasks().get(EvalTask.PERPLEXITY);
    }
}
