package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.Python;
import dev.halftone.TestModels;
import dev.halftone.TinyModels;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.config.schema.ExportConfig;
import dev.halftone.format.ExportFormat;
import dev.halftone.format.gguf.GgufFile;
import dev.halftone.format.gguf.GgufImport;
import dev.halftone.format.gguf.GgufValue;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.nn.ActivationTransform;
import dev.halftone.nn.Linear;
import dev.halftone.qat.QuantizedWeight;
import dev.halftone.recipe.LlamaCpp.Continuation;
import dev.halftone.tokenizer.Tokenizer;
import dev.halftone.tokenizer.Tokenizers;
import dev.halftone.torch.Device;
import dev.halftone.torch.Torch;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/// What llama.cpp itself makes of exported files, beside what we compute.
///
/// It rounds the inputs of products with quantized weights to 8 bits, which we do not. So its outputs are compared with
/// ours after the same rounding. Where no input lies so near to the edge of a rounding step that the order of a sum
/// decides, both are then equal to six digits; where one does, all that follows in its text differs by as much as the
/// rounding itself makes.
@Tag("integration")
class LlamaCppTest {
    private static final List<String> TEXTS = List.of(
            "The people",
            "In 1790",
            "of the United",
            "It's a",
            "and so on",
            "Congress",
            "we have",
            "3.9 million",
            "to be");

    private static final List<String> PROMPTS = List.of(
            "The capital of France is",
            "Water boils at a temperature of",
            "Once upon a time, in a village by the sea,",
            "The first president of the United States was",
            "To make bread, you need flour,",
            "In the theory of relativity, Einstein showed that",
            "def fibonacci(n):",
            "The most important thing about gardening is");

    private static LlamaCpp llama;

    @TempDir
    private Path dir;

    @BeforeAll
    static void findLlamaCpp() {
        llama = new LlamaCpp(Python.orSkip());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "llama|{}|q4_0",
                "llama|{}|q4_1",
                "llama|{}|q5_1",
                "llama|{`tie_word_embeddings`: true, `attention_bias`: true, `mlp_bias`: true, `head_dim`: 32}|q5_0",
                "llama|{`rope_scaling`: {`rope_type`: `linear`, `factor`: 2.0}}|q8_0",
                "llama|{`rope_scaling`: {`rope_type`: `yarn`, `factor`: 2.0, `original_max_position_embeddings`: 64}}|q8_0",
                "llama|{`rope_theta`: 500000.0, `rope_scaling`: {`rope_type`: `llama3`, `factor`: 8.0, `low_freq_factor`: 1.0, `high_freq_factor`: 4.0, `original_max_position_embeddings`: 8192}}|q8_0",
                "mistral|{`sliding_window`: null}|tq1_0",
                "mistral|{`sliding_window`: null}|tq2_0",
                "qwen2|{`tie_word_embeddings`: true}|mxfp4",
                "qwen3|{`head_dim`: 128}|q4_0",
                "smollm3|{}|q8_0",
                "olmo2|{}|q8_0",
            })
    void itsDistributionsAreOursInEveryFamilyAndBlockType(String family, String keys, String type) throws IOException {
        TinyRun.oneThread();
        Path model = TinyModels.write(dir.resolve("model"), family, keys.replace('`', '"'));
        List<Comparison> texts = compare(artifact(model, type), TEXTS, 4, type.startsWith("tq") ? 256 : 32);
        assertThat(texts).isNotEmpty().allSatisfy(c -> assertThat(c.apart()).isGreaterThan(18));
        if (type.endsWith("_1")) {
            return; // There sums of inputs are rounded to float16 besides, which tips other roundings everywhere.
        }
        double nearest =
                texts.stream().mapToDouble(Comparison::apartWhenRounded).max().orElseThrow();
        assertThat(nearest).isGreaterThan(80);
    }

    @Test
    void ggufPyReadsWhatWeRead() throws IOException {
        TinyRun.oneThread();
        Path model = TinyModels.write(dir.resolve("model"), "qwen2", "{}");
        Path gguf = dir.resolve("out.gguf");
        Recipes.export(new ExportConfig(gguf, artifact(model, "q4_1"), ExportFormat.GGUF, false), Events.NONE);
        JsonNode theirs = llama.run("llama/structure.py", "", gguf.toString());
        try (GgufFile ours = GgufFile.open(gguf)) {
            Map<String, GgufValue> keys = ours.metadata().values();
            assertThat(theirs.path(0).propertyNames()).containsExactlyInAnyOrderElementsOf(keys.keySet());
            keys.forEach((key, value) -> {
                JsonNode their = theirs.path(0).path(key);
                assertThat(their.path(0).path(0).asString())
                        .as(key)
                        .isEqualTo(value.type().name());
                switch (value) {
                    case GgufValue.Array array -> {
                        assertThat(their.path(0).path(1).asString())
                                .isEqualTo(array.elementType().name());
                        assertThat(their.path(1).values().stream().map(JsonNode::asString))
                                .containsExactlyElementsOf(array.values().stream()
                                        .map(GgufValue::toString)
                                        .toList());
                    }
                    case GgufValue.Real real ->
                        assertThat(their.path(1).asDouble()).as(key).isEqualTo(real.value());
                    default -> assertThat(their.path(1).asString()).as(key).isEqualTo(value.toString());
                }
            });
            assertThat(theirs.path(1).propertyNames())
                    .containsExactlyElementsOf(ours.tensors().keySet());
            ours.tensors().forEach((name, tensor) -> {
                assertThat(theirs.path(1).path(name).path(0).asString()).isEqualTo(tensor.typeName());
                assertThat(theirs.path(1).path(name).path(1).values().stream()
                                .mapToLong(JsonNode::asLong)
                                .toArray())
                        .isEqualTo(tensor.shape());
            });
        }
    }

    /// Greedy tokens: which of two likely ones comes first, 8-bit inputs decide, ours no less than llama.cpp's.
    @Test
    void smolLm2WritesWhatItWritesHere() {
        Path model = dir.resolve("model");
        GgufImport.run(TestModels.smolLm2(), model, DType.BF16, false);
        List<Comparison> texts = compare(artifact(model, "q4_0"), PROMPTS, 50, 32);
        double agreed = texts.stream().mapToDouble(Comparison::agreed).average().orElseThrow();
        double ofRounding = texts.stream()
                .mapToDouble(Comparison::agreedOfRounding)
                .average()
                .orElseThrow();
        assertThat(agreed).isGreaterThan(0.96).isGreaterThan(ofRounding - 0.015);
        // Where they differ, they differ on a choice that is no clearer than the rounding is fine.
        assertThat(texts).allSatisfy(c -> assertThat(c.clearestDisagreement()).isLessThan(1));
        double apart = texts.stream().mapToDouble(Comparison::apart).average().orElseThrow();
        double rounding =
                texts.stream().mapToDouble(Comparison::roundingApart).average().orElseThrow();
        assertThat(apart).isGreaterThan(rounding - 3);
    }

    private Path artifact(Path model, String type) {
        String quantizer = "{_component_: GGUFWeightOnlyConfig, type: %s, exclude: [lm_head]}".formatted(type);
        return TinyModels.quantize(model, dir.resolve("artifact"), quantizer, "fp32");
    }

    /// A text as llama.cpp and we continue it. Distances are the spread of our log-probabilities over their
    /// differences, in dB.
    ///
    /// @param apart llama.cpp and we
    /// @param apartWhenRounded llama.cpp and we with its rounding of inputs
    /// @param roundingApart we with and without that rounding
    /// @param agreed share of llama.cpp's tokens that are our likeliest
    /// @param agreedOfRounding the same of our own, with rounding and without
    /// @param clearestDisagreement by how much, at most, we prefer another token to llama.cpp's, in nats
    private record Comparison(
            double apart,
            double apartWhenRounded,
            double roundingApart,
            double agreed,
            double agreedOfRounding,
            double clearestDisagreement) {
        static Comparison of(Continuation theirs, Steps ours, Steps rounded) {
            double[][] expected = ours.at(theirs.top());
            double[][] roundedAt = rounded.at(theirs.top());
            double[][] actual = theirs.logProbabilities().toArray(double[][]::new);
            int steps = theirs.ids().length;
            return new Comparison(
                    distance(expected, actual),
                    distance(roundedAt, actual),
                    distance(expected, roundedAt),
                    share(steps, i -> ours.likeliest(i) == theirs.ids()[i]),
                    share(steps, i -> ours.likeliest(i) == rounded.likeliest(i)),
                    IntStream.range(0, steps)
                            .mapToDouble(i -> ours.logProbabilities[i][ours.likeliest(i)]
                                    - ours.logProbabilities[i][theirs.ids()[i]])
                            .max()
                            .orElseThrow());
        }

        private static double share(int steps, IntPredicate holds) {
            return IntStream.range(0, steps).filter(holds).count() / (double) steps;
        }

        private static double distance(double[][] expected, double[][] actual) {
            double signal = 0;
            double noise = 0;
            for (int i = 0; i < expected.length; i++) {
                double mean = Arrays.stream(expected[i]).average().orElse(0);
                for (int k = 0; k < expected[i].length; k++) {
                    signal += Math.pow(expected[i][k] - mean, 2);
                    noise += Math.pow(expected[i][k] - actual[i][k], 2);
                }
            }
            return 10 * Math.log10(signal / noise);
        }
    }

    /// What we compute for each token that llama.cpp adds: the log-probabilities of all.
    private record Steps(double[][] logProbabilities) {
        static Steps of(CausalLm model, Continuation c) {
            int[] ids = IntStream.concat(Arrays.stream(c.prompt()), Arrays.stream(c.ids()))
                    .toArray();
            float[] logits = Certificate.logits(model, Tokens.of(ids));
            int vocabulary = model.config().vocabSize();
            double[][] steps = new double[c.ids().length][];
            for (int i = 0; i < steps.length; i++) {
                int from = (c.prompt().length - 1 + i) * vocabulary;
                steps[i] = LlamaCppTest.logProbabilities(Arrays.copyOfRange(logits, from, from + vocabulary));
            }
            return new Steps(steps);
        }

        int likeliest(int step) {
            double[] all = logProbabilities[step];
            return IntStream.range(0, all.length)
                    .reduce((a, b) -> all[b] > all[a] ? b : a)
                    .orElseThrow();
        }

        double[][] at(List<int[]> ids) {
            return IntStream.range(0, ids.size())
                    .mapToObj(i -> Arrays.stream(ids.get(i))
                            .mapToDouble(id -> logProbabilities[i][id])
                            .toArray())
                    .toArray(double[][]::new);
        }
    }

    /// Writes the file, lets llama.cpp go on after the texts, and computes the same tokens.
    ///
    /// @param block inputs that share a scale
    private List<Comparison> compare(Path artifact, List<String> texts, int tokens, int block) {
        Path gguf = dir.resolve("out.gguf");
        Recipes.export(new ExportConfig(gguf, artifact, ExportFormat.GGUF, false), Events.NONE);
        try (CausalLm model = Checkpoints.load(artifact, DType.F32, Device.CPU);
                Tokenizer tokenizer = Tokenizers.load(artifact)) {
            List<Continuation> theirs = llama.complete(
                    gguf, texts, tokens, Math.min(1000, model.config().vocabSize()));
            for (int t = 0; t < texts.size(); t++) {
                assertThat(theirs.get(t).prompt()).isEqualTo(tokenizer.encode(texts.get(t), true));
            }
            List<Steps> plain = theirs.stream().map(c -> Steps.of(model, c)).toList();
            model.namedModules().values().forEach(module -> {
                if (module instanceof Linear linear && linear.weight() instanceof QuantizedWeight) {
                    linear.setInputTransform(new EightBits(block));
                }
            });
            return IntStream.range(0, texts.size())
                    .mapToObj(t -> Comparison.of(theirs.get(t), plain.get(t), Steps.of(model, theirs.get(t))))
                    // Of a text that goes on with parts of characters llama.cpp tells nothing.
                    .filter(c -> !Double.isNaN(c.apart()))
                    .toList();
        }
    }

    /// ggml's `quantize_row_q8_0`, and for blocks of 256 `quantize_row_q8_K`, whose scale stays float32.
    private record EightBits(int block) implements ActivationTransform {
        @Override
        public boolean active() {
            return true;
        }

        @Override
        public Tensor forward(Tensor x) {
            float[] values = Torch.floats(x);
            for (int from = 0; from < values.length; from += block) {
                float largest = 0;
                for (int i = from; i < from + block; i++) {
                    largest = Math.max(largest, Math.abs(values[i]));
                }
                float d = largest / 127;
                float stored = block == 32 ? Float.float16ToFloat(Float.floatToFloat16(d)) : d;
                for (int i = from; i < from + block; i++) {
                    values[i] = largest == 0 ? 0 : (float) Math.rint(values[i] * (127 / largest)) * stored;
                }
            }
            return Torch.of(values, Torch.shape(x));
        }
    }

    private static double[] logProbabilities(float[] logits) {
        double largest = IntStream.range(0, logits.length)
                .mapToDouble(i -> logits[i])
                .max()
                .orElseThrow();
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit - largest);
        }
        double log = largest + Math.log(sum);
        return IntStream.range(0, logits.length)
                .mapToDouble(i -> logits[i] - log)
                .toArray();
    }
}
