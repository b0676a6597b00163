package dev.halftone.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.quant.GoldenCases.Case;
import dev.halftone.quant.Oracle.Codes;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class MxOracleTest {
    static List<Case> cases() {
        return GoldenCases.read("06_mx", "mx.").stream()
                .filter(c -> !c.name().contains("linear"))
                .toList();
    }

    /// Names are `mx.<format>.<mode>.<what>`.
    private static MxGrid grid(Case c) {
        String[] name = c.name().toUpperCase(Locale.ROOT).split("\\.");
        return new MxGrid(MxFormat.valueOf(name[1]), MxScaleMode.valueOf(name[2]), Numerics.TORCHAO, c.dtype());
    }

    @ParameterizedTest
    @MethodSource("cases")
    void codesScalesAndValuesMatchTorchao(Case c) {
        MxGrid grid = grid(c);
        Codes q = grid.oracle().quantize(c.get("x"), 32);
        int[] codes = c.has("codes") ? c.ints("codes") : unpacked(c.ints("codes_packed"));
        assertThat(unsigned(q.codes())).isEqualTo(codes);
        int[] bytes = c.ints("scale");
        float[] scales = new float[bytes.length];
        for (int b = 0; b < bytes.length; b++) {
            scales[b] = MxOracle.scale(bytes[b]);
        }
        assertIdentical(q.scales(), scales);
        if (c.has("x_dq")) {
            assertSame(grid.oracle().dequantize(q, 32), c.get("x_dq"));
            assertSame(grid.oracle().fakeQuantize(c.get("x"), 32), c.get("x_dq"));
        }
    }

    @Test
    void compressedTensorsMxfp4IsItsOwn() {
        Case c = GoldenCases.read("09_compressed_tensors", "ct.mxfp4").getFirst();
        MxGrid grid = new MxGrid(MxFormat.MXFP4, MxScaleMode.EVEN, Numerics.COMPRESSED_TENSORS, DType.BF16);
        Codes q = grid.oracle().quantize(c.get("w"), 256);
        assertThat(unsigned(q.codes())).isEqualTo(unpacked(c.ints("state.proj.weight_packed")));
        assertSame(grid.oracle().fakeQuantize(c.get("w"), 256), c.get("w_fq"));
        MxGrid torchao = new MxGrid(MxFormat.MXFP4, MxScaleMode.EVEN, Numerics.TORCHAO, DType.BF16);
        assertThat(torchao.oracle().quantize(c.get("w"), 256).codes())
                .as("negative zeros keep their sign")
                .isNotEqualTo(q.codes());
    }

    @Test
    void rceilIsTheCeilingOfAFloat32Logarithm() {
        MxGrid grid = new MxGrid(MxFormat.MXFP4, MxScaleMode.RCEIL, Numerics.TORCHAO, DType.F32);
        for (int e = -127; e <= 124; e++) {
            int power = Float.floatToRawIntBits(Math.scalb(1f, e));
            for (int n = -40; n <= 40; n++) {
                float quotient = Float.intBitsToFloat(power + n);
                float amax = quotient * 6;
                float log2 = (float) (Math.log(amax / 6) / Math.log(2));
                assertThat(MxOracle.scaleByte(amax, grid))
                        .as("2^%d and %d units", e, n)
                        .isEqualTo((int) Math.max(Math.ceil(log2), -127) + 127);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void rceilClampsNothingByMoreThanTheLogarithmAllows(MxFormat format) {
        MxGrid grid = new MxGrid(format, MxScaleMode.RCEIL, numerics(format), DType.F32);
        Random random = new Random(3);
        for (int i = 0; i < 10_000; i++) {
            float amax = Math.scalb(1 + random.nextFloat(), random.nextInt(200) - 100);
            float top = MxOracle.choose(amax, grid).scale() * format.max();
            assertThat(top).isGreaterThan(amax * (1 - 0x1p-18f)).isLessThan(2 * amax * (1 + 0x1p-18f));
        }
    }

    @ParameterizedTest
    @EnumSource
    void whatIsTrainedIsWhatIsStored(MxFormat format) {
        Random random = new Random(4);
        for (MxScaleMode mode : MxScaleMode.values()) {
            for (DType dtype : List.of(DType.F32, DType.BF16, DType.F16)) {
                Oracle oracle = new MxGrid(format, mode, numerics(format), dtype).oracle();
                float[] x = new float[64];
                for (int i = 0; i < x.length; i++) {
                    float v = Math.scalb((float) random.nextGaussian(), random.nextInt(40) - 20);
                    x[i] = Rounding.round(i % 7 == 0 ? -0.0f : v, dtype);
                }
                Codes q = oracle.quantize(x, 64);
                assertIdentical(oracle.dequantize(q, 64), oracle.fakeQuantize(x, 64));
                assertThat(oracle.gradient(x, x, 64, GradientRule.OPEN)).isEqualTo(x);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void zerosStayZerosAndFiniteValuesFinite(MxFormat format) {
        for (MxScaleMode mode : MxScaleMode.values()) {
            Oracle oracle = new MxGrid(format, mode, numerics(format), DType.F32).oracle();
            for (float v : new float[] {0, Float.MIN_VALUE, Float.MIN_NORMAL, 0x1p-110f, 1, 1e38f}) {
                float[] x = new float[32];
                Arrays.fill(x, v);
                for (float y : oracle.fakeQuantize(x, 32)) {
                    assertThat(Math.abs(y)).isLessThanOrEqualTo(2 * v);
                }
            }
        }
    }

    @Test
    void mxint8CountsIn64thsOfItsPowerOfTwo() {
        Oracle oracle = new MxGrid(MxFormat.MXINT8, MxScaleMode.FLOOR, Numerics.OCP, DType.F32).oracle();
        float[] x = new float[32];
        System.arraycopy(new float[] {1.99f, -1.99f, 0.5f, 1.5f / 64, 2.5f / 64, -0.001f}, 0, x, 0, 6);
        Codes q = oracle.quantize(x, 32);
        assertThat(q.scales()).containsExactly(1);
        assertThat(Arrays.copyOf(q.codes(), 6)).containsExactly(127, -127, 32, 2, 2, 0);
        assertThat(oracle.fakeQuantize(x, 32)[5]).isEqualTo(0.0f);
        assertThat(oracle.fakeQuantize(x, 32)[0]).isEqualTo(127f / 64);
    }

    @Test
    void formatsHaveNumericsOfTheirOwn() {
        assertThat(MxScheme.of(MxFormat.MXFP4, MxFormat.MXFP4, MxScaleMode.RCEIL)
                        .label())
                .isEqualTo("mxfp4-rceil");
        assertThat(MxScheme.of(MxFormat.MXINT8, null, MxScaleMode.FLOOR).label())
                .isEqualTo("mxint8wo-floor");
        assertThat(MxScheme.of(MxFormat.MXFP4, MxFormat.MXFP8_E4M3, MxScaleMode.EVEN)
                        .label())
                .isEqualTo("mxfp8_e4m3da-mxfp4w-even");
        assertThat(new MxScheme(MxFormat.MXFP4, null, MxScaleMode.EVEN, Numerics.COMPRESSED_TENSORS).label())
                .isEqualTo("mxfp4wo-even@compressed-tensors");
        assertThatThrownBy(() -> MxScheme.of(MxFormat.MXFP4, MxFormat.MXINT8, MxScaleMode.RCEIL))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("activation_dtype");
        assertThatThrownBy(() -> new MxScheme(MxFormat.MXFP4, null, MxScaleMode.RCEIL, Numerics.COMPRESSED_TENSORS))
                .isInstanceOf(InputException.class);
    }

    private static Numerics numerics(MxFormat format) {
        return format == MxFormat.MXINT8 ? Numerics.OCP : Numerics.TORCHAO;
    }

    static int[] unpacked(int[] packed) {
        byte[] bytes = new byte[packed.length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) packed[i];
        }
        assertThat(Fp4Packing.pack(Fp4Packing.unpack(bytes))).isEqualTo(bytes);
        return unsigned(Fp4Packing.unpack(bytes));
    }

    static int[] unsigned(byte[] bytes) {
        int[] ints = new int[bytes.length];
        for (int i = 0; i < ints.length; i++) {
            ints[i] = Byte.toUnsignedInt(bytes[i]);
        }
        return ints;
    }

    /// Zeros are equal whatever their sign: libraries do not agree on it.
    static void assertSame(float[] ours, float[] theirs) {
        assertThat(ours).hasSameSizeAs(theirs);
        for (int i = 0; i < ours.length; i++) {
            assertThat(ours[i] == theirs[i])
                    .as("at %d: %s, not %s", i, ours[i], theirs[i])
                    .isTrue();
        }
    }

    /// The same bits.
    static void assertIdentical(float[] ours, float[] theirs) {
        assertThat(ours).hasSameSizeAs(theirs);
        for (int i = 0; i < ours.length; i++) {
            assertThat(Float.floatToIntBits(ours[i]))
                    .as("at %d: %s, not %s", i, ours[i], theirs[i])
                    .isEqualTo(Float.floatToIntBits(theirs[i]));
        }
    }
}
