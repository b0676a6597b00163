package dev.halftone.quant;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.format.gguf.LatticeBlocks;
import dev.halftone.quant.GoldenCases.Case;
import dev.halftone.quant.Oracle.Codes;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class GgufOracleTest {
    static List<Case> cases() {
        return GoldenCases.read("08_gguf", "gguf.").stream()
                .filter(c -> c.has("x"))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void bytesAndValuesMatchGgufPy(Case c) {
        GgufLattice lattice =
                GgufLattice.valueOf(c.name().substring("gguf.".length()).toUpperCase(Locale.ROOT));
        Oracle oracle = new GgufGrid(lattice, DType.F32).oracle();
        int columns = (int) c.columns("x");
        Codes q = oracle.quantize(c.get("x"), columns);
        byte[] raw = LatticeBlocks.pack(q, lattice);
        assertThat(unsigned(raw)).isEqualTo(c.ints("raw"));
        assertThat(bits(oracle.fakeQuantize(c.get("x"), columns))).isEqualTo(bits(c.get("x_dq")));
        assertThat(bits(oracle.dequantize(LatticeBlocks.unpack(raw, lattice), columns)))
                .isEqualTo(bits(c.get("x_dq")));
    }

    @ParameterizedTest
    @EnumSource
    void theBytesOfAFileStandForTheFakeQuantizedValues(GgufLattice lattice) {
        Random random = new Random(1);
        Oracle oracle = new GgufGrid(lattice, DType.F32).oracle();
        for (int shift = -45; shift < 20; shift++) {
            float[] x = new float[4 * lattice.blockSize()];
            for (int i = 0; i < x.length; i++) {
                x[i] = Math.scalb((float) random.nextGaussian(), shift);
            }
            Arrays.fill(x, 0, lattice.blockSize(), shift % 2 == 0 ? -0.0f : 0);
            byte[] raw = LatticeBlocks.pack(oracle.quantize(x, x.length), lattice);
            assertThat(bits(LatticeBlocks.type(lattice).dequantize(MemorySegment.ofArray(raw))))
                    .isEqualTo(bits(oracle.fakeQuantize(x, x.length)));
            assertThat(LatticeBlocks.pack(LatticeBlocks.unpack(raw, lattice), lattice))
                    .isEqualTo(raw);
        }
    }

    @ParameterizedTest
    @EnumSource
    void bfloat16WeightsAreWidenedAndTheirValuesRounded(GgufLattice lattice) {
        float[] x = new float[lattice.blockSize()];
        Random random = new Random(2);
        for (int i = 0; i < x.length; i++) {
            x[i] = Rounding.round((float) random.nextGaussian(), DType.BF16);
        }
        Oracle wide = new GgufGrid(lattice, DType.F32).oracle();
        Oracle narrow = new GgufGrid(lattice, DType.BF16).oracle();
        assertThat(narrow.quantize(x, x.length).codes())
                .isEqualTo(wide.quantize(x, x.length).codes());
        float[] rounded = wide.fakeQuantize(x, x.length);
        for (int i = 0; i < rounded.length; i++) {
            rounded[i] = Rounding.round(rounded[i], DType.BF16);
        }
        assertThat(narrow.fakeQuantize(x, x.length)).containsExactly(rounded);
    }

    @ParameterizedTest
    @EnumSource
    void zerosStayZerosAndFiniteWeightsFinite(GgufLattice lattice) {
        Oracle oracle = new GgufGrid(lattice, DType.F32).oracle();
        float[] x = new float[lattice.blockSize()];
        for (float y : oracle.fakeQuantize(x, x.length)) {
            assertThat(y == 0).isTrue();
        }
        for (float tiny : new float[] {Float.MIN_VALUE, Float.MIN_NORMAL, 0x1p-125f, 0x1p-100f, 1e-8f}) {
            Arrays.fill(x, tiny);
            x[0] = -tiny;
            for (float y : oracle.fakeQuantize(x, x.length)) {
                assertThat(Math.abs(y)).isLessThanOrEqualTo(Math.max(4 * tiny, 0x1p-24f));
            }
        }
    }

    @Test
    void theFirstOfTheLargestMagnitudesHasTheSmallestCode() {
        float[] x = new float[32];
        x[5] = 4;
        x[9] = -4;
        Codes q = new GgufGrid(GgufLattice.Q4_0, DType.F32).oracle().quantize(x, 32);
        assertThat(q.scales()).containsExactly(-0.5f);
        assertThat(q.codes()[5]).isEqualTo((byte) -8);
        assertThat(q.codes()[9]).as("8 is no code").isEqualTo((byte) 7);
    }

    @Test
    void aMagnitudeJustBelowAPowerOfTwoCountsAsIt() {
        float[] x = new float[32];
        Oracle oracle = new GgufGrid(GgufLattice.MXFP4, DType.F32).oracle();
        x[0] = Math.nextDown(0x1p10f);
        assertThat(oracle.quantize(x, 32).scales()).containsExactly(0x1p8f);
        x[0] = 0x1.fffp9f;
        assertThat(oracle.quantize(x, 32).scales()).containsExactly(0x1p7f);
        x[0] = Float.NEGATIVE_INFINITY;
        assertThat(oracle.quantize(x, 32).scales()).containsExactly(Float.NaN);
    }

    @Test
    void whatTheClampChangesGetsNoGradient() {
        float[] extreme = {-8, 7, 7.6f, 0, -7.4f, 6.4f};
        assertGradient(GgufLattice.Q4_0, extreme, GradientRule.IDENTITY, 1, 1, 1, 1, 1, 1);
        assertGradient(GgufLattice.Q4_0, extreme, GradientRule.CLOSED, 1, 1, 0, 1, 1, 1);
        assertGradient(GgufLattice.Q4_0, extreme, GradientRule.OPEN, 0, 0, 0, 1, 1, 1);
        float[] range = {-3, 12, 0, 11.6f, 11.4f, -2.6f};
        assertGradient(GgufLattice.Q4_1, range, GradientRule.CLOSED, 1, 1, 1, 1, 1, 1);
        assertGradient(GgufLattice.Q4_1, range, GradientRule.OPEN, 0, 0, 1, 0, 1, 0);
        float[] magnitude = {-127, 127, 126.6f, 126.4f, 0, 1};
        assertGradient(GgufLattice.Q8_0, magnitude, GradientRule.CLOSED, 1, 1, 1, 1, 1, 1);
        assertGradient(GgufLattice.Q8_0, magnitude, GradientRule.OPEN, 0, 0, 0, 1, 1, 1);
        float[] float4 = {-7.9f, 6.1f, 6, 5.9f, -6, 0};
        assertGradient(GgufLattice.MXFP4, float4, GradientRule.CLOSED, 0, 0, 1, 1, 1, 1);
        assertGradient(GgufLattice.MXFP4, float4, GradientRule.OPEN, 0, 0, 0, 1, 0, 1);
    }

    /// @param some the first values of a block, whose others are in its middle
    private static void assertGradient(GgufLattice lattice, float[] some, GradientRule rule, float... expected) {
        float[] x = new float[lattice.blockSize()];
        Arrays.fill(x, 1);
        System.arraycopy(some, 0, x, 0, some.length);
        float[] up = new float[x.length];
        Arrays.fill(up, 1);
        float[] g = new GgufGrid(lattice, DType.F32).oracle().gradient(x, up, x.length, rule);
        assertThat(Arrays.copyOf(g, some.length)).containsExactly(expected);
    }

    private static int[] bits(float[] values) {
        int[] bits = new int[values.length];
        for (int i = 0; i < bits.length; i++) {
            bits[i] = Float.floatToIntBits(values[i]);
        }
        return bits;
    }

    private static int[] unsigned(byte[] bytes) {
        int[] ints = new int[bytes.length];
        for (int i = 0; i < ints.length; i++) {
            ints[i] = Byte.toUnsignedInt(bytes[i]);
        }
        return ints;
    }
}
