package dev.halftone.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.nn.KvCache;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizationPlan;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Device;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.nio.file.Path;
import java.util.Arrays;
import org.assertj.core.data.Offset;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// A token's step against the tensors' forward pass, which is tested against transformers.
class TokenStepTest {
    private static final int PROMPT = 5;
    private static final int STEPS = 40;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama3_rope_scaling",
                "llama_bias",
                "llama_gqa",
                "llama_plain",
                "llama_tied",
                "llama_yarn",
                "mistral_sliding",
                "olmo2",
                "qwen2",
                "qwen3",
                "smollm3"
            })
    void aTokensStepComputesWhatTheForwardPassComputes(String family) throws Exception {
        try (CausalLm model = load(family, DType.F32)) {
            compare(model, 1e-4);
        }
        try (CausalLm model = load(family, DType.BF16)) {
            compare(model, 0.15);
        }
    }

    @ParameterizedTest
    @CsvSource({"4, true", "8, true", "8, false", "3, false"})
    void codesOfQuantizedLayersAreTheWeights(int bits, boolean activations) throws Exception {
        QuantScheme scheme = new IntxScheme(bits, new Granularity.PerGroup(8), activations, Numerics.TORCHAO);
        try (CausalLm model = load("llama_gqa", DType.F32)) {
            Qat.quantize(model, QuantizationPlan.of(scheme).excluding("lm_head"));
            // An activation may fall on the other side of a rounding boundary.
            compare(model, activations ? 0.05 : 1e-4);
        }
    }

    private static CausalLm load(String family, DType dtype) throws Exception {
        Path folder = Path.of(TokenStepTest.class
                        .getResource("/golden/hf/%s/config.json".formatted(family))
                        .toURI())
                .getParent();
        return Models.load(folder, dtype, Device.CPU);
    }

    /// @param tolerance of a logit, relative to the largest
    private static void compare(CausalLm model, double tolerance) {
        int length = Math.min(PROMPT + STEPS, model.config().maxPositions());
        int[] ids = new int[length];
        for (int i = 0; i < length; i++) {
            ids[i] = (i * 37 + 11) % model.config().vocabSize();
        }
        CausalLm.TokenStep step = model.tokenStep().orElseThrow();
        try (KvCache ours = new KvCache(length);
                KvCache theirs = new KvCache(length)) {
            forward(model, ours, Arrays.copyOf(ids, PROMPT));
            forward(model, theirs, Arrays.copyOf(ids, PROMPT));
            for (int i = PROMPT; i < length; i++) {
                float[] expected = forward(model, theirs, ids[i]);
                float[] logits = step.logits(ids[i], ours);
                double largest = 0;
                for (float v : expected) {
                    largest = Math.max(largest, Math.abs(v));
                }
                assertThat(logits).hasSameSizeAs(expected);
                for (int v = 0; v < logits.length; v++) {
                    assertThat((double) logits[v])
                            .describedAs("logit %d at position %d", v, i)
                            .isCloseTo(expected[v], Offset.offset(tolerance * largest));
                }
            }
            assertThat(ours.length()).isEqualTo(length);
        }
    }

    private static float[] forward(CausalLm model, KvCache cache, int... tokens) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor hidden_1SD = model.hidden(Tokens.following(cache.length(), tokens), cache);
            return Torch.floats(Ops.to(model.logits(hidden_1SD.narrow(1, tokens.length - 1L, 1)), DType.F32));
        }
    }
}
