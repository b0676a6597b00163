package dev.halftone.quant;

import static dev.halftone.quant.MxOracleTest.assertIdentical;
import static dev.halftone.quant.MxOracleTest.assertSame;
import static dev.halftone.quant.MxOracleTest.unpacked;
import static dev.halftone.quant.MxOracleTest.unsigned;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.quant.GoldenCases.Case;
import dev.halftone.quant.Oracle.Codes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class Nvfp4OracleTest {
    static List<Case> torchao() {
        return GoldenCases.read("06_nvfp4", "_level.");
    }

    static List<Case> modelopt() {
        return GoldenCases.read("07_modelopt", "nvfp4");
    }

    /// Every grid that a scheme can ask for.
    static List<Nvfp4Grid> grids() {
        List<Nvfp4Grid> grids = new ArrayList<>();
        for (DType dtype : List.of(DType.F32, DType.BF16, DType.F16)) {
            grids.add(new Nvfp4Grid(Numerics.TORCHAO, false, dtype));
            grids.add(new Nvfp4Grid(Numerics.TORCHAO, true, dtype));
            grids.add(new Nvfp4Grid(Numerics.MODELOPT, true, dtype));
            grids.add(new Nvfp4Grid(Numerics.MODELOPT_TRAINING, true, dtype));
            grids.add(new Nvfp4Grid(Numerics.COMPRESSED_TENSORS, true, dtype));
        }
        return grids;
    }

    @ParameterizedTest
    @MethodSource("torchao")
    void codesScalesAndValuesMatchTorchao(Case c) {
        boolean twoLevel = c.has("per_tensor_scale");
        Oracle oracle = new Nvfp4Grid(Numerics.TORCHAO, twoLevel, c.dtype()).oracle();
        Codes q = oracle.quantize(c.get("x"), 96);
        assertThat(unsigned(q.codes())).isEqualTo(unpacked(c.ints("codes_packed")));
        assertThat(scaleBytes(q)).isEqualTo(c.ints("scale"));
        assertThat(q.tensorScale()).isEqualTo(twoLevel ? c.get("per_tensor_scale")[0] : 1);
        assertSame(oracle.fakeQuantize(c.get("x"), 96), c.get("x_dq"));
    }

    @Test
    void swizzledScalesMatchTorchao() {
        Case c = GoldenCases.read("06_nvfp4", "swizzled").getFirst();
        Codes q = new Nvfp4Grid(Numerics.TORCHAO, true, DType.BF16).oracle().quantize(c.get("x"), 96);
        byte[] scales = new byte[q.scales().length];
        for (int i = 0; i < scales.length; i++) {
            scales[i] = MiniFloat.E4M3.encode(q.scales()[i]);
        }
        byte[] swizzled = SwizzledScales.swizzle(scales, scales.length / 6, 6);
        assertThat(unsigned(swizzled)).isEqualTo(c.ints("scale_swizzled"));
        assertThat(SwizzledScales.unswizzle(swizzled, scales.length / 6, 6)).isEqualTo(scales);
    }

    @Test
    void swizzlingIsUndoneForAnyShape() {
        Random random = new Random(1);
        for (int[] shape : new int[][] {{1, 1}, {31, 5}, {128, 4}, {129, 9}, {300, 17}}) {
            byte[] scales = new byte[shape[0] * shape[1]];
            random.nextBytes(scales);
            byte[] swizzled = SwizzledScales.swizzle(scales, shape[0], shape[1]);
            assertThat(swizzled.length % 512).isZero();
            assertThat(SwizzledScales.unswizzle(swizzled, shape[0], shape[1])).isEqualTo(scales);
        }
    }

    @ParameterizedTest
    @MethodSource("modelopt")
    void whatModelOptStoresAndWhatItTrainsWithAreTwoGrids(Case c) {
        Oracle stored = new Nvfp4Grid(Numerics.MODELOPT, true, c.dtype()).oracle();
        Codes q = stored.quantize(c.get("x"), 96);
        assertThat(unsigned(q.codes())).isEqualTo(unpacked(c.ints("packed")));
        assertThat(scaleBytes(q)).isEqualTo(c.ints("scale"));
        assertThat(q.tensorScale()).isEqualTo(c.get("scale_2")[0]);
        assertSame(stored.fakeQuantize(c.get("x"), 96), c.get("x_dq"));

        Oracle trained = new Nvfp4Grid(Numerics.MODELOPT_TRAINING, true, c.dtype()).oracle();
        Codes t = trained.quantize(c.get("x"), 96);
        float[] units = t.scales().clone();
        for (int i = 0; i < units.length; i++) {
            units[i] *= t.tensorScale();
        }
        assertSame(units, c.get("block_scale"));
        assertSame(trained.fakeQuantize(c.get("x"), 96), c.get("x_fq"));
    }

    @Test
    void compressedTensorsIsAnother() {
        Case c = GoldenCases.read("09_compressed_tensors", "ct.nvfp4").getFirst();
        Oracle oracle = new Nvfp4Grid(Numerics.COMPRESSED_TENSORS, true, DType.BF16).oracle();
        Codes q = oracle.quantize(c.get("w"), 256);
        assertThat(unsigned(q.codes())).isEqualTo(unpacked(c.ints("state.proj.weight_packed")));
        assertThat(scaleBytes(q)).isEqualTo(c.ints("state.proj.weight_scale"));
        assertThat(q.tensorScale()).isEqualTo(c.get("state.proj.weight_global_scale")[0]);
        assertSame(oracle.fakeQuantize(c.get("w"), 256), c.get("w_fq"));
        assertSame(oracle.dequantize(q, 256), c.get("w_decompressed"));
    }

    @ParameterizedTest
    @MethodSource("grids")
    void whatIsTrainedIsWhatIsStored(Nvfp4Grid grid) {
        Random random = new Random(2);
        float[] x = new float[64];
        for (int i = 0; i < x.length; i++) {
            float v = Math.scalb((float) random.nextGaussian(), -i / 16 * 5);
            x[i] = Rounding.round(i % 7 == 0 ? -0.0f : v, grid.dtype());
        }
        Codes q = grid.oracle().quantize(x, 64);
        assertIdentical(grid.oracle().dequantize(q, 64), grid.oracle().fakeQuantize(x, 64));
        assertThat(grid.oracle().gradient(x, x, 64, GradientRule.CLOSED)).isEqualTo(x);
    }

    @ParameterizedTest
    @MethodSource("grids")
    void zerosStayZerosAndFiniteValuesFinite(Nvfp4Grid grid) {
        float max = grid.dtype() == DType.F16 ? 40000 : 1e38f;
        for (float v : new float[] {0, Float.MIN_VALUE, Float.MIN_NORMAL, 1e-36f, 1e-30f, 1e-5f, 1, max}) {
            float[] x = new float[32];
            Arrays.fill(x, 0, 16, Rounding.round(v, grid.dtype()));
            for (float y : grid.oracle().fakeQuantize(x, 32)) {
                assertThat(y).isBetween(0f, 2 * Rounding.round(v, grid.dtype()) + 1e-30f);
            }
        }
    }

    @Test
    void modelOptTrainsItsInputsEverywhere() {
        Nvfp4Scheme scheme = new Nvfp4Scheme(true, true, Numerics.MODELOPT);
        assertThat(scheme.label()).isEqualTo("nvfp4@modelopt");
        assertThat(scheme.activations(DType.F32)).isEqualTo(new Nvfp4Grid(Numerics.MODELOPT_TRAINING, true, DType.F32));
        assertThat(new Nvfp4Scheme(false, false, Numerics.TORCHAO).label()).isEqualTo("nvfp4wo-one_level");
        assertThatThrownBy(() -> new Nvfp4Scheme(true, false, Numerics.MODELOPT))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("use_dynamic_per_tensor_scale");
        assertThatThrownBy(() -> new Nvfp4Scheme(true, true, Numerics.OCP)).isInstanceOf(InputException.class);
    }

    private static int[] scaleBytes(Codes q) {
        int[] bytes = new int[q.scales().length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = Byte.toUnsignedInt(MiniFloat.E4M3.encode(q.scales()[i]));
        }
        return bytes;
    }
}
