package dev.halftone.quant;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.quant.GoldenCases.Case;
import dev.halftone.quant.Oracle.Codes;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class Q8OracleTest {
    static List<Case> cases() {
        return GoldenCases.read("15_gguf_activations", "gguf_activations.");
    }

    @ParameterizedTest
    @MethodSource("cases")
    void codesScalesAndValuesAreThoseOfLlamaCppsOwnFunctions(Case c) {
        Q8Grid.Type type = Q8Grid.Type.of(c.params().get("block").asInt());
        Oracle oracle = new Q8Grid(type, DType.F32).oracle();
        int columns = (int) c.columns("x");
        Codes q = oracle.quantize(c.get("x"), columns);
        int[] codes = new int[q.codes().length];
        for (int i = 0; i < codes.length; i++) {
            codes[i] = q.codes()[i];
        }
        assertThat(codes).isEqualTo(c.ints("codes"));
        assertThat(q.scales()).containsExactly(c.get("scale"));
        assertThat(oracle.fakeQuantize(c.get("x"), columns)).containsExactly(c.get("x_fq"));
    }

    @Test
    void itIsNotTheFunctionThatQuantizesWeights() {
        float[] x = new float[32];
        x[0] = 127;
        x[1] = 2.5f;
        x[2] = -2.5f;
        assertThat(new Q8Grid(Q8Grid.Type.Q8_0, DType.F32)
                        .oracle()
                        .quantize(x, 32)
                        .codes())
                .startsWith(127, 2, -2);
        assertThat(new GgufGrid(GgufLattice.Q8_0, DType.F32)
                        .oracle()
                        .quantize(x, 32)
                        .codes())
                .startsWith(127, 3, -3);
    }

    @ParameterizedTest
    @EnumSource
    void zerosStayZerosAndANaNTakesItsBlockAlone(Q8Grid.Type type) {
        float[] x = new float[2 * type.blockSize()];
        Arrays.fill(x, type.blockSize(), x.length, 1);
        x[x.length - 1] = Float.NaN;
        float[] y = new Q8Grid(type, DType.F32).oracle().fakeQuantize(x, x.length);
        for (int i = 0; i < y.length; i++) {
            assertThat(Float.isNaN(y[i])).isEqualTo(i >= type.blockSize());
            assertThat(i >= type.blockSize() || y[i] == 0).isTrue();
        }
    }

    @Test
    void weightsInLargeBlocksTakeTheLargeOnes() {
        for (GgufLattice lattice : GgufLattice.values()) {
            Grid inputs = new GgufScheme(lattice, true).activations(DType.BF16);
            assertThat(inputs)
                    .isEqualTo(new Q8Grid(
                            lattice.name().startsWith("TQ") ? Q8Grid.Type.Q8_K : Q8Grid.Type.Q8_0, DType.BF16));
            assertThat(new GgufScheme(lattice, false).activations(DType.BF16)).isNull();
        }
    }
}
