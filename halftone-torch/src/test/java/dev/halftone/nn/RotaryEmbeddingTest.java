package dev.halftone.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.DType;
import dev.halftone.format.Json;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.nio.file.Path;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

class RotaryEmbeddingTest {
    private static final int DIM = 64;

    private static RopeScaling scaling(String name) {
        return switch (name) {
            case "default" -> new RopeScaling.None();
            case "linear" -> new RopeScaling.Linear(4);
            case "llama3" -> new RopeScaling.Llama3(32, 1, 4, 8192);
            case "yarn" -> new RopeScaling.Yarn(4, 32768, 32, 1, RopeScaling.Yarn.magnitude(4, 1), true);
            case "yarn_mscale" ->
                new RopeScaling.Yarn(
                        40,
                        4096,
                        16,
                        2,
                        RopeScaling.Yarn.magnitude(40, 0.707) / RopeScaling.Yarn.magnitude(40, 1),
                        false);
            case "yarn_attention_factor" -> new RopeScaling.Yarn(8, 2048, 32, 1, 1.25, true);
            default -> throw new IllegalArgumentException(name);
        };
    }

    @ParameterizedTest
    @CsvSource({
        "default, 10000",
        "linear, 100000",
        "llama3, 500000",
        "yarn, 1000000",
        "yarn_mscale, 10000",
        "yarn_attention_factor, 10000"
    })
    void frequenciesAreThoseOfTransformers(String name, double theta) throws Exception {
        Path file = Path.of(RotaryEmbeddingTest.class
                .getResource("/golden/rope/inv_freq.json")
                .toURI());
        JsonNode expected = Json.readObject(file).get(name);
        float[] actual = scaling(name).frequencies(theta, DIM);
        assertThat(actual).hasSize(expected.get("inv_freq").size());
        for (int i = 0; i < actual.length; i++) {
            double f = expected.get("inv_freq").get(i).doubleValue();
            assertThat((double) actual[i]).as(name + " " + i).isCloseTo(f, within(1e-6 * f));
        }
        assertThat(scaling(name).magnitude())
                .isCloseTo(expected.get("attention_scaling").doubleValue(), within(1e-12));
    }

    @Test
    void aRotationTurnsEachPairByItsAngle() {
        try (Scope _ = Scope.open()) {
            RotaryEmbedding rope = new RotaryEmbedding(100, 4, new RopeScaling.None());
            Tensor x_BHSD = Torch.of(new float[] {1, 2, 3, 4, 1, 2, 3, 4}, 1, 1, 2, 4);
            Tensor y = rope.at(Torch.of(new int[] {0, 5}, 1, 2), DType.F32).apply(x_BHSD);
            double a = 5;
            double b = 0.5;
            assertThat(Torch.floats(y))
                    .usingComparatorWithPrecision(1e-5f)
                    .containsExactly(
                            1,
                            2,
                            3,
                            4,
                            (float) (Math.cos(a) - 3 * Math.sin(a)),
                            (float) (2 * Math.cos(b) - 4 * Math.sin(b)),
                            (float) (3 * Math.cos(a) + Math.sin(a)),
                            (float) (4 * Math.cos(b) + 2 * Math.sin(b)));
        }
    }

    @Test
    void cosinesAreRoundedToTheDtypeOfTheHiddenStates() {
        try (Scope _ = Scope.open()) {
            RotaryEmbedding rope = new RotaryEmbedding(10000, 8, new RopeScaling.None());
            Tensor positions = Torch.of(new int[] {7}, 1, 1);
            Tensor cos = rope.at(positions, DType.BF16).cos_B1SD();
            assertThat(Torch.dtype(cos)).isEqualTo(DType.BF16);
            Tensor exact = rope.at(positions, DType.F32).cos_B1SD();
            assertThat(Torch.floats(cos)).containsExactly(Torch.floats(Ops.to(exact, DType.BF16)));
        }
    }
}
