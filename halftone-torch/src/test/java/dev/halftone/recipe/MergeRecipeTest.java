package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.InputException;
import dev.halftone.config.Config;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.config.schema.MergeConfig;
import dev.halftone.format.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MergeRecipeTest {
    private static final String QUANTIZER =
            "quantizer: {_component_: Int8DynamicActivationIntxWeightConfig, weight_dtype: int4, groupsize: 32, exclude: [lm_head]}\n";

    @TempDir
    Path dir;

    @ParameterizedTest
    @CsvSource({
        "fp32, use_dora: false, merged",
        "fp32, use_dora: true, merged",
        "bf16, use_dora: true, merged",
        "fp32, use_rslora: true, separate",
    })
    void anAdapterMergesToTheBytesOfItsRun(String dtype, String kind, String form) throws IOException {
        FinetuneRecipe.Result run = Recipes.qatLora(
                finetune("dtype: %s\nlora_rank: 4\n%s\nlora_form: %s\n".formatted(dtype, kind, form) + QUANTIZER),
                Events.NONE);
        assertThat(run.mergeDrift().maxAbsDiff() == 0).isEqualTo(form.equals("merged"));

        MergeRecipe.Result artifact = Recipes.merge(merge(run.adapter(), "artifact", QUANTIZER), Events.NONE);
        assertThat(artifact.certificate().holds()).isTrue();
        assertThat(weights(artifact.model())).isEqualTo(weights(run.artifact()));
        MergeRecipe.Result model = Recipes.merge(merge(run.adapter(), "model", ""), Events.NONE);
        assertThat(model.certificate()).isNull();
        assertThat(weights(model.model())).isEqualTo(weights(run.model()));
    }

    @Test
    void aRunMayLeaveItsAdaptersOnlyAndAnotherGoesOnWithThem() throws IOException {
        FinetuneRecipe.Result run =
                Recipes.lora(finetune("dtype: fp32\nlora_rank: 4\nsave_adapter_weights_only: true\n"), Events.NONE);
        assertThat(run.model()).isNull();
        assertThat(dir.resolve("run/epoch_0")).doesNotExist();
        assertThat(run.mergeDrift().sqnrDb()).as("rounding").isGreaterThan(100);
        assertThat(Json.readObject(dir.resolve("run/run.json"))
                        .at("/results/merge_drift/sqnr_db")
                        .doubleValue())
                .isEqualTo(run.mergeDrift().sqnrDb());
        Path first = Files.move(dir.resolve("run"), dir.resolve("first"));
        FinetuneRecipe.Result second = Recipes.lora(
                finetune("dtype: fp32\nlora_rank: 4\nadapter_dir: %s\n".formatted(first.resolve("adapter_0"))),
                Events.NONE);
        assertThat(second.loss()).isLessThan(run.loss());
    }

    @Test
    void adaptersThatHalftoneHasNotAreRefused() throws IOException {
        FinetuneRecipe.Result run = Recipes.lora(finetune("dtype: fp32\nlora_rank: 4\n"), Events.NONE);
        Path file = run.adapter().resolve("adapter_config.json");
        String config = Files.readString(file);
        for (String[] change : List.of(
                new String[] {"\"LORA\"", "\"IA3\"", "peft_type is \"IA3\""},
                new String[] {"\"none\"", "\"all\"", "bias is \"all\""},
                new String[] {"{", "{\"rank_pattern\": {\"q_proj\": 2},", "rank_pattern is"},
                new String[] {"\"r\" : 4", "\"r\" : 8", "lora_A.weight"})) {
            Files.writeString(
                    file,
                    config.replace("\": ", "\" : ")
                            .replaceFirst(Pattern.quote(change[0]), Matcher.quoteReplacement(change[1])));
            assertThatThrownBy(() -> Recipes.merge(merge(run.adapter(), "refused", ""), Events.NONE))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining(change[2]);
        }
        assertThat(dir.resolve("refused")).doesNotExist();
    }

    private FinetuneConfig finetune(String keys) {
        Path data = TinyRun.writeGoldenBatches(dir.resolve("data.jsonl"), "");
        String yaml = TinyRun.yaml(dir.resolve("run"), TinyRun.golden("model"), data) + "batch_size: 4\n" + keys;
        return Config.parse("test", yaml, List.of()).bind(FinetuneConfig.class).value();
    }

    private MergeConfig merge(Path adapter, String output, String keys) {
        String yaml = "output_dir: %s\ncheckpoint_dir: %s\nadapter_dir: %s\n"
                        .formatted(dir.resolve(output), TinyRun.golden("model"), adapter)
                + keys;
        return Config.parse("test", yaml, List.of()).bind(MergeConfig.class).value();
    }

    private static byte[] weights(Path model) throws IOException {
        return Files.readAllBytes(model.resolve("model.safetensors"));
    }
}
