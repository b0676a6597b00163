package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.TestModels;
import dev.halftone.TinyModels;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.config.schema.ExportConfig;
import dev.halftone.format.ExportFormat;
import dev.halftone.format.gguf.GgufImport;
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
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What llama.cpp itself makes of exported files, beside what we compute.
///
/// It rounds the inputs of products with quantized weights to 8 bits, which we do not. So outputs are compared twice:
/// with ours as they are, and with ours after the same rounding, from which they must hardly differ.
@Tag("integration")
class LlamaCppTest {
    private static final List<String> TEXTS = List.of("The people of the United States in 1790 had 3.9 million");

    private static final List<String> PROMPTS = List.of(
            "The capital of France is",
            "Water boils at a temperature of",
            "Once upon a time, in a village by the sea,",
            "The first president of the United States was",
            "To make bread, you need flour,",
            "In the theory of relativity, Einstein showed that",
            "def fibonacci(n):",
            "The most important thing about gardening is");

    private final LlamaCpp llama = LlamaCpp.orSkip();

    @TempDir
    private Path dir;

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "llama|{}|q4_0",
                "llama|{`tie_word_embeddings`: true, `attention_bias`: true, `mlp_bias`: true, `head_dim`: 32}|q4_1",
                "llama|{`rope_scaling`: {`rope_type`: `linear`, `factor`: 2.0}}|q5_0",
                "llama|{`rope_scaling`: {`rope_type`: `yarn`, `factor`: 2.0, `original_max_position_embeddings`: 64}}|q5_1",
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
        Comparison c = compare(artifact(model, type), TEXTS, 32, type.startsWith("tq") ? 256 : 32);
        assertThat(c.plain.sqnrDb()).isGreaterThan(20);
        assertThat(c.rounded.sqnrDb()).as("with its 8-bit inputs").isGreaterThan(38);
    }

    @Test
    void smolLm2WritesWhatItWritesHere() {
        Path model = dir.resolve("model");
        GgufImport.run(TestModels.smolLm2(), model, DType.BF16, false);
        Comparison c = compare(artifact(model, "q4_0"), PROMPTS, 50, 32);
        assertThat(c.plain.top1()).isGreaterThan(0.95);
        assertThat(c.rounded.top1()).as("with its 8-bit inputs").isGreaterThanOrEqualTo(0.995);
        assertThat(c.rounded.sqnrDb()).isGreaterThan(c.plain.sqnrDb() + 6);
    }

    private Path artifact(Path model, String type) {
        String quantizer = "{_component_: GGUFWeightOnlyConfig, type: %s, exclude: [lm_head]}".formatted(type);
        return TinyModels.quantize(model, dir.resolve("artifact"), quantizer, "fp32");
    }

    /// @param plain llama.cpp's outputs and ours
    /// @param rounded its outputs, and ours with its rounding of inputs
    private record Comparison(Outputs plain, Outputs rounded) {}

    /// Writes the file, lets llama.cpp go on after the texts, and computes the same tokens.
    ///
    /// @param block inputs that share a scale
    private Comparison compare(Path artifact, List<String> texts, int tokens, int block) {
        Path gguf = dir.resolve("out.gguf");
        Recipes.export(new ExportConfig(gguf, artifact, ExportFormat.GGUF, false), Events.NONE);
        try (CausalLm model = Checkpoints.load(artifact, DType.F32, Device.CPU);
                Tokenizer tokenizer = Tokenizers.load(artifact)) {
            List<Continuation> theirs = llama.complete(
                    gguf, texts, tokens, Math.min(1000, model.config().vocabSize()));
            for (int t = 0; t < texts.size(); t++) {
                assertThat(theirs.get(t).prompt()).isEqualTo(tokenizer.encode(texts.get(t), true));
            }
            Outputs plain = Outputs.of(model, theirs);
            model.namedModules().values().forEach(module -> {
                if (module instanceof Linear linear && linear.weight() instanceof QuantizedWeight) {
                    linear.setInputTransform(new EightBits(block));
                }
            });
            Comparison result = new Comparison(plain, Outputs.of(model, theirs));
            System.err.println(result);
            return result;
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

    /// How near log-probabilities lie.
    ///
    /// @param top1 share of llama.cpp's tokens that are our likeliest
    /// @param sqnrDb spread of our log-probabilities over the differences, in dB
    private record Outputs(double top1, double sqnrDb) {
        static Outputs of(CausalLm ours, List<Continuation> theirs) {
            int vocabulary = ours.config().vocabSize();
            double signal = 0;
            double noise = 0;
            int agreed = 0;
            int all = 0;
            for (Continuation c : theirs) {
                int[] ids = IntStream.concat(Arrays.stream(c.prompt()), Arrays.stream(c.ids()))
                        .toArray();
                float[] logits = Certificate.logits(ours, Tokens.of(ids));
                for (int i = 0; i < c.ids().length; i++) {
                    int from = (c.prompt().length - 1 + i) * vocabulary;
                    double[] expected = logProbabilities(Arrays.copyOfRange(logits, from, from + vocabulary));
                    int best = IntStream.range(0, vocabulary)
                            .reduce((a, b) -> expected[b] > expected[a] ? b : a)
                            .orElseThrow();
                    agreed += best == c.ids()[i] ? 1 : 0;
                    all++;
                    int[] top = c.top().get(i);
                    double mean = Arrays.stream(top)
                            .mapToDouble(id -> expected[id])
                            .average()
                            .orElse(0);
                    for (int k = 0; k < top.length; k++) {
                        signal += Math.pow(expected[top[k]] - mean, 2);
                        noise +=
                                Math.pow(expected[top[k]] - c.logProbabilities().get(i)[k], 2);
                    }
                }
            }
            return new Outputs(agreed / (double) all, 10 * Math.log10(signal / noise));
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
