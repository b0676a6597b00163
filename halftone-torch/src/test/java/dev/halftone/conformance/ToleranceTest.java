package dev.halftone.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import org.junit.jupiter.api.Test;

class ToleranceTest {
    @Test
    void theTextsOfTheIndexAreUnderstood() {
        assertThat(Tolerance.parse("bit-exact")).contains(Tolerance.EXACT);
        assertThat(Tolerance.parse("bit-exact (NaN == NaN)")).contains(Tolerance.EXACT);
        assertThat(Tolerance.parse("matmul summation order: |a-b| <= 2e-6*sum|terms| (f32), one dtype ulp of the f32"
                        + " result (bf16/f16)"))
                .contains(new Tolerance(2e-6, 1, false));
        assertThat(Tolerance.parse("1 ulp on rows looked up more than once")).contains(new Tolerance(0, 1, false));
        assertThat(Tolerance.parse("rel 1e-5 of the row's max|grad| (f32), 2 ulp (bf16)"))
                .contains(new Tolerance(1e-5, 2, false));
        assertThat(Tolerance.parse("rel 1e-5 (depends on the step-1 gradients)"))
                .contains(new Tolerance(1e-5, 1, false));
        assertThat(Tolerance.parse("sums: rel 1e-5 of max|grad| of the tensor"))
                .contains(new Tolerance(1e-5, 1, false));
        assertThat(Tolerance.parse("about the same")).isEmpty();
    }

    @Test
    void onlySumsMayDiffer() {
        Tolerance sums = new Tolerance(2e-6, 1, false);
        assertThat(sums.allows(1, 1 + 0x1p-20f, 1, DType.F32)).isTrue();
        assertThat(sums.allows(1, 1 + 0x1p-18f, 1, DType.F32)).isFalse();
        assertThat(sums.allows(1, 1 + 0x1p-20f, 0, DType.F32)).isFalse();
        assertThat(Tolerance.EXACT.allows(1, 1 + 0x1p-23f, 1, DType.F32)).isFalse();
    }

    @Test
    void aUnitInTheLastPlaceIsThatOfTheDtype() {
        Tolerance ulp = new Tolerance(0, 1, false);
        assertThat(ulp.allows(1 + 0x1p-23f, 1, 1, DType.F32)).isTrue();
        assertThat(ulp.allows(1 + 0x1p-7f, 1, 1, DType.BF16)).isTrue();
        assertThat(ulp.allows(1 + 0x1p-6f, 1, 1, DType.BF16)).isFalse();
        assertThat(ulp.allows(1 + 0x1p-10f, 1, 1, DType.F16)).isTrue();
        assertThat(ulp.allows(1 + 0x1p-9f, 1, 1, DType.F16)).isFalse();
    }

    @Test
    void zerosAreEqualAndSoAreNaNs() {
        assertThat(Tolerance.EXACT.allows(-0.0f, 0, 0, DType.F32)).isTrue();
        assertThat(Tolerance.EXACT.allows(Float.NaN, Float.NaN, 0, DType.F32)).isTrue();
        assertThat(new Tolerance(2e-6, 1, false).allows(Float.NaN, 0, 1, DType.F32))
                .isFalse();
    }
}
