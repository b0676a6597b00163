package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.Python;
import dev.halftone.TestModels;
import dev.halftone.TinyModels;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.checkpoint.QuantizedFolders;
import dev.halftone.config.schema.ExportConfig;
import dev.halftone.format.ExportFormat;
import dev.halftone.format.gguf.GgufImport;
import dev.halftone.generate.Generator;
import dev.halftone.generate.Sampling;
import dev.halftone.model.CausalLm;
import dev.halftone.model.DecoderConfig;
import dev.halftone.model.Tokens;
import dev.halftone.qat.InputCalibration;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizationPlan;
import dev.halftone.quant.Calibration;
import dev.halftone.quant.Int8Scheme;
import dev.halftone.quant.QuantScheme;
import dev.halftone.quant.StaticActivationScheme;
import dev.halftone.tokenizer.Tokenizer;
import dev.halftone.tokenizer.Tokenizers;
import dev.halftone.torch.Device;
import dev.halftone.torch.Torch;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What onnxruntime itself makes of exported models, beside what we compute in float32.
class OnnxRuntimeTest {
    private static final String INT4 = "{_component_: IntxWeightOnlyConfig, weight_dtype: int4, groupsize: 32}";
    private static final int VOCABULARY = 640;
    private static final int[] IDS =
            IntStream.range(0, 48).map(i -> i * 37 % VOCABULARY).toArray();
    /// The order of sums makes 1e-6 to 4e-6.
    private static final double APART = 1e-5;

    private static final int TOKENS = 50;
    private static final List<String> PROMPTS = List.of(
            "The capital of France is",
            "Water boils at a temperature of",
            "Once upon a time, in a village by the sea,",
            "The first president of the United States was",
            "To make bread, you need flour,",
            "def fibonacci(n):");

    static {
        TinyRun.oneThread();
    }

    @TempDir
    Path dir;

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
                .isLessThan(APART);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int2, groupsize: 16}",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int3, groupsize: 64}",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int4, groupsize: channel, include: ['*', model.embed_tokens], exclude: []}",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int4, groupsize: 8, include: ['*', model.embed_tokens], exclude: []}",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int8, groupsize: 8}",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int5, groupsize: channel}",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int8, groupsize: channel, include: ['*', model.embed_tokens], exclude: []}",
                "{_component_: W4A16, groupsize: 32, symmetric: false, include: ['*', model.embed_tokens], exclude: []}",
                "{_component_: W4A16, groupsize: 8, symmetric: false}",
                "{_component_: Int4WeightOnlyConfig, groupsize: 32, include: ['*', model.embed_tokens], exclude: []}",
                "{_component_: Int4WeightOnlyConfig, groupsize: 8}",
                "{_component_: Int4WeightOnlyQATQuantizer, groupsize: 32}",
                "{_component_: GGUFWeightOnlyConfig, type: q4_0}",
                "{_component_: GGUFWeightOnlyConfig, type: q8_0}",
                "{_component_: GGUFWeightOnlyConfig, type: tq2_0}",
            })
    void itsLogitsAreOursInEveryKindOfScheme(String quantizer) throws IOException {
        Path model = TinyModels.write(dir.resolve("model"), "llama", "{\"tie_word_embeddings\": true}");
        assertThat(apart(TinyModels.quantize(model, dir.resolve("artifact"), quantizer, "fp32")))
                .isLessThan(APART);
    }

    /// What a bfloat16 run has in float is widened. Its weights are codes times scales there, which the
    /// artifact then rounds to bfloat16: of codes of 2 bits that changes none.
    @Test
    void itsLogitsAreOursOfABfloat16Run() throws IOException {
        Path model = TinyModels.write(dir.resolve("model"), "qwen2", "{}");
        String int2 = "{_component_: IntxWeightOnlyConfig, weight_dtype: int2, groupsize: 16}";
        assertThat(apart(TinyModels.quantize(model, dir.resolve("artifact"), int2, "bf16")))
                .isLessThan(APART);
    }

    /// An input that lies within the last bits of the edge of a rounding step falls on either side, as sums
    /// are ordered; all that follows in a text then differs by as much as rounding to 8 bits does. Up to
    /// there the logits are ours.
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{_component_: Int8DynamicActivationIntxWeightConfig, weight_dtype: int4, groupsize: 32}",
                "{_component_: Int8DynamicActivationInt8WeightConfig, act_mapping_type: asymmetric}",
                "{_component_: Int8DynamicActivationInt8WeightConfig, numerics: compressed_tensors}",
                "{_component_: Int8DynActInt4WeightQATQuantizer, groupsize: 32}",
            })
    void itsLogitsAreOursWhereInputsAreQuantizedPerToken(String quantizer) throws IOException {
        Path model = TinyModels.write(dir.resolve("model"), "llama", "{}");
        List<float[]> logits = logits(TinyModels.quantize(model, dir.resolve("artifact"), quantizer, "fp32"));
        assertThat(Apart.of(logits.get(0), logits.get(1))).isLessThan(0.1);
        assertThat(Apart.of(first(logits.get(0)), first(logits.get(1)))).isLessThan(APART);
    }

    @Test
    void itsLogitsAreOursWhereInputsHaveStaticScales() throws IOException {
        Path folder = TinyModels.write(dir.resolve("model"), "llama", "{}");
        Path artifact = dir.resolve("artifact");
        QuantScheme scheme = new StaticActivationScheme(new Int8Scheme(true));
        try (CausalLm model = Checkpoints.load(folder, DType.F32, Device.CPU)) {
            Qat.quantize(model, QuantizationPlan.of(scheme).excluding("lm_head"));
            InputCalibration.run(model, Calibration.MINMAX, () -> logits(model, IDS));
            QuantizedFolders.save(artifact, model, folder, Long.MAX_VALUE);
        }
        List<float[]> logits = logits(artifact);
        assertThat(Apart.of(logits.get(0), logits.get(1))).isLessThan(0.1);
        assertThat(Apart.of(first(logits.get(0)), first(logits.get(1)))).isLessThan(APART);
    }

    private static float[] first(float[] logits_SV) {
        return Arrays.copyOf(logits_SV, logits_SV.length / IDS.length);
    }

    /// Tokens one by one after others, and two texts of different lengths side by side, padded on the left.
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {"llama|{}", "mistral|{`sliding_window`: 6}", "qwen3|{`head_dim`: 128}"})
    void cacheAndMaskChangeNoLogit(String family, String keys) throws IOException {
        Path model = TinyModels.write(dir.resolve("model"), family, keys.replace('`', '"'));
        Path out = export(TinyModels.quantize(model, dir.resolve("artifact"), INT4, "fp32"));
        try (CausalLm ours = Checkpoints.load(out, DType.F32, Device.CPU);
                OnnxRuntime theirs = runtime(out, ours)) {
            float[] whole = logits(ours, IDS);
            OnnxRuntime.Step step = theirs.run(theirs.empty(1), range(0, 10), ones(10), longs(0, 10));
            assertThat(Apart.of(Arrays.copyOf(whole, 10 * VOCABULARY), step.logits()))
                    .isLessThan(APART);
            for (int i = 10; i < 20; i++) {
                step = theirs.run(step.cache(), range(i, i + 1), ones(i + 1), longs(i, i + 1));
                assertThat(Apart.of(position(whole, i), step.logits())).isLessThan(APART);
            }

            long[] ids = concat(concat(new long[4], longs(0, 8)), longs(0, 12));
            long[] positions = concat(concat(new long[4], range(0, 8)), range(0, 12));
            long[] mask = concat(concat(new long[4], ones(8)), ones(12));
            float[] both = theirs.run(theirs.empty(2), positions, mask, ids).logits();
            for (int i = 0; i < 8; i++) {
                assertThat(Apart.of(position(whole, i), position(both, 4 + i))).isLessThan(APART);
                assertThat(Apart.of(position(whole, i), position(both, 12 + i))).isLessThan(APART);
            }
        }
    }

    /// ONNX's own checker and shape inference.
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "llama|{_component_: IntxWeightOnlyConfig, weight_dtype: int4, groupsize: 32, include: ['*', model.embed_tokens], exclude: []}|bf16",
                "mistral|{_component_: W4A16, groupsize: 8, symmetric: false}|fp32",
                "qwen2|{_component_: Int8DynamicActivationIntxWeightConfig, weight_dtype: int4, groupsize: 32}|bf16",
                "qwen3|{_component_: Int8DynamicActivationInt8WeightConfig, numerics: compressed_tensors}|fp32",
                "olmo2|{_component_: GGUFWeightOnlyConfig, type: tq1_0}|fp32",
                "llama|{_component_: Int4WeightOnlyConfig, groupsize: 32, include: ['*', model.embed_tokens], exclude: []}|bf16",
            })
    void onnxFindsNothingWrong(String family, String quantizer, String dtype) throws IOException {
        Python python = Python.orSkip();
        Path model = TinyModels.write(dir.resolve("model"), family, "{}");
        Path out = export(TinyModels.quantize(model, dir.resolve("artifact"), quantizer, dtype));
        python.run(Python.script(OnnxRuntimeTest.class, "onnx/check.py"), "", List.of(out.resolve("model.onnx")));
    }

    /// Greedy tokens of the real model: where two are as likely to six digits, the order of sums decides.
    @Test
    @Tag("integration")
    void smolLm2WritesWhatItWritesHere() {
        Path model = dir.resolve("model");
        GgufImport.run(TestModels.smolLm2(), model, DType.BF16, false);
        Torch.setThreads(Runtime.getRuntime().availableProcessors());
        Path out = export(TinyModels.quantize(model, dir.resolve("artifact"), INT4, "fp32"));
        try (Tokenizer tokenizer = Tokenizers.load(model);
                CausalLm ours = Checkpoints.load(out, DType.F32, Device.CPU);
                OnnxRuntime theirs = runtime(out, ours)) {
            int agreed = 0;
            double worst = 0;
            for (String prompt : PROMPTS) {
                int[] ids = tokenizer.encode(prompt, false);
                worst = Math.max(worst, Apart.of(logits(ours, ids), theirs.logits(ids)));
                int[] expected = new Generator(ours, Sampling.GREEDY, Set.of())
                        .generate(ids, TOKENS, _ -> {})
                        .tokens();
                int mismatch = Arrays.mismatch(expected, theirs.greedy(ids, TOKENS));
                agreed += mismatch < 0 ? TOKENS : mismatch;
            }
            assertThat(worst).isLessThan(1e-4);
            assertThat((double) agreed / (TOKENS * PROMPTS.size())).isGreaterThan(0.95);
        } finally {
            TinyRun.oneThread();
        }
    }

    private Path export(Path artifact) {
        ExportConfig config = new ExportConfig(dir.resolve("out"), artifact, ExportFormat.ONNX, false);
        return Recipes.export(config, Events.NONE).output();
    }

    private double apart(Path artifact) {
        List<float[]> logits = logits(artifact);
        return Apart.of(logits.get(0), logits.get(1));
    }

    /// Ours and theirs.
    private List<float[]> logits(Path artifact) {
        Path out = export(artifact);
        try (CausalLm ours = Checkpoints.load(artifact, DType.F32, Device.CPU);
                OnnxRuntime theirs = runtime(out, ours)) {
            return List.of(logits(ours, IDS), theirs.logits(IDS));
        }
    }

    private static OnnxRuntime runtime(Path out, CausalLm model) {
        DecoderConfig config = model.config();
        return new OnnxRuntime(out, config.kvHeads(), config.headDim());
    }

    private static float[] logits(CausalLm model, int... ids) {
        return Certificate.logits(model, Tokens.of(ids));
    }

    private static float[] position(float[] logits, int i) {
        return Arrays.copyOfRange(logits, i * VOCABULARY, (i + 1) * VOCABULARY);
    }

    private static long[] longs(int from, int to) {
        return Arrays.stream(IDS, from, to).asLongStream().toArray();
    }

    private static long[] range(int from, int to) {
        return LongStream.range(from, to).toArray();
    }

    private static long[] ones(int n) {
        return LongStream.generate(() -> 1).limit(n).toArray();
    }

    private static long[] concat(long[] a, long[] b) {
        return LongStream.concat(Arrays.stream(a), Arrays.stream(b)).toArray();
    }
}
