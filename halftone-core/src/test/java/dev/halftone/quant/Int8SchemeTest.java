package dev.halftone.quant;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.quant.GoldenCases.Case;
import dev.halftone.quant.Oracle.Codes;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class Int8SchemeTest {
    static List<Case> stored() {
        return GoldenCases.read("13_int8_w8a8", "int8_w8a8.").stream()
                .filter(c -> c.has("codes"))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("stored")
    void weightsAndActivationsMatchTorchao(Case c) {
        Int8Scheme scheme = new Int8Scheme(c.params().get("mapping").asString().equals("asymmetric"));
        String x = c.has("w") ? "w" : "x";
        int columns = (int) c.columns(x);
        Grid grid = c.has("w") ? scheme.weights(c.dtype()) : scheme.activations(c.dtype());
        Codes q = grid.oracle().quantize(c.get(x), columns);
        float[] codes = new float[q.codes().length];
        for (int i = 0; i < codes.length; i++) {
            codes[i] = q.codes()[i];
        }
        float[] zeroPoints = q.zeroPoints();
        assertThat(codes).isEqualTo(c.get("codes"));
        assertThat(q.scales()).isEqualTo(c.get("scale"));
        assertThat(zeroPoints == null ? new float[q.scales().length] : zeroPoints)
                .isEqualTo(c.get("zero_point"));
        float[] dq = grid.oracle().dequantize(q, columns);
        float[] theirs = c.get(x + "_dq");
        for (int i = 0; i < dq.length; i++) {
            assertThat(dq[i] == theirs[i]).isTrue();
        }
    }
}
