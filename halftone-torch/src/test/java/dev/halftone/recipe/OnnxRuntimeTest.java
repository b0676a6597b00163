package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.TinyModels;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.config.schema.ExportConfig;
import dev.halftone.format.ExportFormat;
import dev.halftone.model.CausalLm;
import dev.halftone.model.DecoderConfig;
import dev.halftone.model.Tokens;
import dev.halftone.torch.Device;
import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What onnxruntime itself makes of exported models, beside what we compute in float32.
class OnnxRuntimeTest {
    private static final String INT4 = "{_component_: IntxWeightOnlyConfig, weight_dtype: int4, groupsize: 32}";
    private static final int[] IDS =
            IntStream.range(0, 48).map(i -> i * 37 % 640).toArray();

    static {
        TinyRun.oneThread();
    }

    @TempDir
    Path dir;

    /// Differences are those of the order of sums.
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "llama|{}",
                "llama|{`tie_word_embeddings`: true, `attention_bias`: true, `mlp_bias`: true, `head_dim`: 32}",
                "llama|{`rope_scaling`: {`rope_type`: `yarn`, `factor`: 2.0, `original_max_position_embeddings`: 128}}",
                "llama|{`rope_scaling`: {`rope_type`: `llama3`, `factor`: 8.0, `low_freq_factor`: 1.0, `high_freq_factor`: 4.0, `original_max_position_embeddings`: 64}}",
                "mistral|{`sliding_window`: 16}",
                "qwen2|{`tie_word_embeddings`: true}",
                "qwen2|{`use_sliding_window`: true, `sliding_window`: 20, `max_window_layers`: 2}",
                "qwen3|{`head_dim`: 128}",
                "smollm3|{}",
                "olmo2|{}",
            })
    void itsLogitsAreOursInEveryFamily(String family, String keys) throws IOException {
        Path model = TinyModels.write(dir.resolve("model"), family, keys.replace('`', '"'));
        assertThat(apart(TinyModels.quantize(model, dir.resolve("artifact"), INT4, "fp32")))
                .isLessThan(1e-5);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int2, groupsize: 16}",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int3, groupsize: 64}",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int4, groupsize: channel, include: ['*'], exclude: []}",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int4, groupsize: 8, include: ['*'], exclude: []}",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int8, groupsize: 8}",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int5, groupsize: channel}",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int8, groupsize: channel, include: ['*'], exclude: []}",
                "{_component_: W4A16, groupsize: 32, symmetric: false, include: ['*'], exclude: []}",
                "{_component_: W4A16, groupsize: 8, symmetric: false}",
                "{_component_: GGUFWeightOnlyConfig, type: q4_0}",
                "{_component_: GGUFWeightOnlyConfig, type: q8_0}",
                "{_component_: GGUFWeightOnlyConfig, type: tq2_0}",
                "{_component_: Int8DynamicActivationIntxWeightConfig, weight_dtype: int4, groupsize: 32}",
                "{_component_: Int8DynamicActivationInt8WeightConfig}",
                "{_component_: Int8DynamicActivationInt8WeightConfig, act_mapping_type: asymmetric}",
                "{_component_: Int8DynamicActivationInt8WeightConfig, numerics: compressed_tensors}",
                "{_component_: Int8DynActInt4WeightQATQuantizer, groupsize: 32}",
            })
    void itsLogitsAreOursInEveryKindOfScheme(String quantizer) throws IOException {
        Path model = TinyModels.write(dir.resolve("model"), "llama", "{\"tie_word_embeddings\": true}");
        assertThat(apart(TinyModels.quantize(model, dir.resolve("artifact"), quantizer, "fp32")))
                .isLessThan(1e-5);
    }

    /// Largest difference of logits, relative to the largest of them.
    private double apart(Path artifact) {
        Path out = Recipes.export(new ExportConfig(dir.resolve("out"), artifact, ExportFormat.ONNX, false), Events.NONE)
                .output();
        try (CausalLm ours = Checkpoints.load(artifact, DType.F32, Device.CPU);
                OnnxRuntime theirs = runtime(out, ours)) {
            double apart = apart(logits(ours, IDS), theirs.logits(IDS));
            System.err.println("apart " + artifact + " " + apart);
            return apart;
        }
    }

    private static OnnxRuntime runtime(Path out, CausalLm model) {
        DecoderConfig config = model.config();
        return new OnnxRuntime(out, config.kvHeads(), config.headDim());
    }

    private static float[] logits(CausalLm model, int... ids) {
        return Certificate.logits(model, Tokens.of(ids));
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
}
