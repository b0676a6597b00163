package dev.halftone.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.format.gguf.GgmlType;
import dev.halftone.quant.AmaxGrid;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Rounding;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.assertj.core.data.Offset;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

/// Products of one row against sums in float64 of the values that the oracles and decoders give.
class RowMatrixTest {
    private final Random random = new Random(11);

    @Test
    void floatsOfAnyWidthAreMultipliedAsTheyLie() {
        try (Scope _ = Scope.open()) {
            for (DType dtype : List.of(DType.F32, DType.BF16)) {
                for (int columns = 1; columns < 80; columns += 1 + columns / 40) {
                    float[] w = normal(5 * columns);
                    for (int i = 0; i < w.length; i++) {
                        w[i] = Rounding.round(w[i], dtype);
                    }
                    Tensor t = Ops.to(Torch.of(w, 5, columns), dtype);
                    check(RowMatrix.of(t).orElseThrow(), w, normal(columns));
                }
                assertThat(RowMatrix.of(Ops.to(Torch.of(normal(6), 2, 3), dtype).t()))
                        .isEmpty();
            }
            assertThat(RowMatrix.of(Ops.to(Torch.of(normal(6), 2, 3), DType.F16)))
                    .isEmpty();
        }
    }

    @Test
    void rowsOfAnyNumberAreMultipliedInAnyRange() {
        try (Scope _ = Scope.open()) {
            for (int rows = 1; rows < 20; rows++) {
                float[] w = normal(rows * 24);
                RowMatrix matrix = RowMatrix.of(Torch.of(w, rows, 24)).orElseThrow();
                float[] x = normal(24);
                check(matrix, w, x);
                float[] whole = RowMatrix.multiply(x, matrix)[0];
                float[] pieces = new float[rows];
                matrix.multiply(x, pieces, 0, rows / 3);
                assertThat(Arrays.copyOfRange(pieces, rows / 3, rows)).containsOnly(0);
                matrix.multiply(x, pieces, rows / 3, rows);
                assertThat(pieces).containsExactly(whole);
            }
        }
    }

    @Test
    void rowsAreCombinedByTheirWeights() {
        try (Scope _ = Scope.open()) {
            for (DType dtype : List.of(DType.F32, DType.BF16)) {
                for (int columns = 1; columns < 150; columns += 1 + columns / 7) {
                    float[] rows = normal(9 * columns);
                    for (int i = 0; i < rows.length; i++) {
                        rows[i] = Rounding.round(rows[i], dtype);
                    }
                    float[] weights = normal(9);
                    float[] y = normal(columns + 3);
                    float[] sum = y.clone();
                    MemorySegment w = Torch.memory(Ops.to(Torch.of(rows, 9, columns), dtype));
                    new FloatRows(w, dtype, 9, columns).combine(weights, sum, 2);
                    for (int c = 0; c < y.length; c++) {
                        double expected = y[c];
                        for (int r = 0; r < 9 && c >= 2 && c < columns + 2; r++) {
                            expected += (double) weights[r] * rows[r * columns + c - 2];
                        }
                        assertThat((double) sum[c]).isCloseTo(expected, Offset.offset(1e-5));
                    }
                }
            }
        }
    }

    @Test
    void blocksOfEveryGgufTypeAreMultipliedAsTheyLie() {
        try (Scope _ = Scope.open()) {
            for (GgmlType type : GgmlType.values()) {
                if (readable(type)) {
                    for (int blocks : new int[] {1, 2, 5}) {
                        int columns = blocks * type.blockSize();
                        byte[] raw = new byte[7 * blocks * type.blockBytes()];
                        float[] w = blocks(type, raw);
                        Tensor bytes = Torch.of(MemorySegment.ofArray(raw), DType.U8, raw.length);
                        check(RowMatrix.of(type, bytes, 7, columns).orElseThrow(), w, normal(columns));
                    }
                }
            }
        }
    }

    @Test
    void codesOfEveryGridAreMultipliedAsTheyLie() {
        int floats = 0;
        for (int columns : new int[] {256, 24, 80, 120, 312, 1, 50, 67, 100}) {
            for (Grid grid : grids(columns)) {
                try (Scope _ = Scope.open()) {
                    Tensor x = Ops.to(Torch.of(normal(5 * columns), 5, columns), grid.dtype());
                    Quantized q = Kernels.REFERENCE.of(grid).quantize(x);
                    float[] w = Torch.floats(Kernels.REFERENCE.of(grid).dequantize(q));
                    RowMatrix matrix = GridMatrix.of(q, grid).row().orElseThrow();
                    // The values of a bfloat16 grid are rounded three times at most, each by a 256th.
                    double rounding = grid.dtype() == DType.F32 ? 0 : 3.0 / 256;
                    float step = grid.affine() ? largest(Torch.floats(q.scale())) : 0;
                    check(grid + " of " + columns, matrix, w, normal(columns), rounding, Math.max(largest(w), step));
                    floats += grid.codeDtype() == DType.U8 ? 1 : 0;
                }
            }
        }
        assertThat(floats).isPositive();
    }

    /// Those whose groups divide a row.
    private static List<Grid> grids(int columns) {
        List<Grid> grids = new ArrayList<>(AmaxInputs.grids());
        List<Granularity> groups = new ArrayList<>(List.of(new Granularity.PerAxis()));
        for (int divisor : new int[] {2, 3, 8}) {
            if (columns % divisor == 0 && columns > divisor) {
                groups.add(new Granularity.PerGroup(columns / divisor));
            }
        }
        for (Granularity group : groups) {
            grids.addAll(GridInputs.grids(group));
            IntxInputs.grids().forEach(g -> grids.add(g.with(group)));
        }
        grids.addAll(FloatBlockInputs.mx());
        grids.addAll(FloatBlockInputs.nvfp4());
        grids.addAll(GgufInputs.grids());
        grids.removeIf(g -> (g.dtype() != DType.F32 && g.dtype() != DType.BF16)
                || columns % g.granularity().groupSize(columns) != 0);
        return grids;
    }

    private static float largest(float[] w) {
        float largest = 0;
        for (float v : w) {
            largest = Math.max(largest, Math.abs(v));
        }
        return largest;
    }

    @Test
    void aRowWithACodeOfNoNumberIsNone() {
        try (Scope _ = Scope.open()) {
            for (int columns : new int[] {64, 70}) {
                for (byte code : new byte[] {0x7f, (byte) 0xff}) {
                    AmaxGrid grid =
                            AmaxGrid.float8(AmaxGrid.Formula.FLOAT8_TORCHAO, DType.F32, new Granularity.PerAxis());
                    Quantized q = Kernels.REFERENCE.of(grid).quantize(Torch.of(normal(6 * columns), 6, columns));
                    Torch.memory(q.codes()).set(ValueLayout.JAVA_BYTE, 3 * columns + columns - 1, code);
                    RowMatrix matrix = GridMatrix.of(q, grid).row().orElseThrow();
                    float[] y = RowMatrix.multiply(normal(columns), matrix)[0];
                    assertThat(y[3]).isNaN();
                    y[3] = 0;
                    assertThat(y).doesNotContain(Float.NaN);
                }
            }
        }
    }

    @Test
    void theBitsDoNotDependOnTheNumberOfThreads() {
        int threads = Torch.threads();
        try (Scope _ = Scope.open()) {
            Tensor w = Torch.of(normal(301 * 576), 301, 576);
            RowMatrix a = RowMatrix.of(w).orElseThrow();
            RowMatrix b = RowMatrix.of(w.narrow(0, 0, 100)).orElseThrow();
            float[] x = normal(576);
            Torch.setThreads(1);
            float[][] one = RowMatrix.multiply(x, a, b);
            Torch.setThreads(3);
            float[][] three = RowMatrix.multiply(x, a, b);
            assertThat(three[0]).containsExactly(one[0]);
            assertThat(three[1]).containsExactly(one[1]);
        } finally {
            Torch.setThreads(threads);
        }
    }

    @Test
    void whatIsNotANumberStaysSo() {
        try (Scope _ = Scope.open()) {
            byte[] raw = new byte[2 * 34];
            blocks(GgmlType.Q8_0, raw);
            RowMatrix matrix = RowMatrix.of(
                            GgmlType.Q8_0, Torch.of(MemorySegment.ofArray(raw), DType.U8, raw.length), 2, 32)
                    .orElseThrow();
            float[] x = normal(32);
            x[17] = Float.NaN;
            assertThat(RowMatrix.multiply(x, matrix)[0]).containsOnly(Float.NaN);
        }
    }

    private static void check(RowMatrix matrix, float[] w, float[] x) {
        check(matrix.toString(), matrix, w, x, 0, 0);
    }

    /// Each row's sum may be off by 2e-5 of the sum of its products' magnitudes, for rounding of some hundred terms.
    ///
    /// @param rounding what the values are off by themselves, relatively
    /// @param least what values count as at least: the codes of a row of zeros are not zeros, where something is
    ///     taken from all of them
    private static void check(String name, RowMatrix matrix, float[] w, float[] x, double rounding, float least) {
        float[] y = RowMatrix.multiply(x, matrix)[0];
        assertThat(y).hasSize(matrix.rows());
        for (int r = 0; r < y.length; r++) {
            double sum = 0;
            double magnitude = 0;
            for (int c = 0; c < x.length; c++) {
                double value = w[r * x.length + c];
                sum += value * x[c];
                magnitude += Math.max(Math.abs(value), least) * Math.abs(x[c]);
            }
            assertThat((double) y[r])
                    .describedAs("%s row %d", name, r)
                    .isCloseTo(sum, Offset.offset((2e-5 + rounding) * magnitude + 1e-30));
        }
    }

    private float[] normal(int n) {
        float[] x = new float[n];
        for (int i = 0; i < n; i++) {
            x[i] = (float) random.nextGaussian();
        }
        return x;
    }

    /// Random blocks whose values are finite.
    private float[] blocks(GgmlType type, byte[] raw) {
        int bytes = type.blockBytes();
        byte[] block = new byte[bytes];
        for (int at = 0; at < raw.length; at += bytes) {
            float[] values;
            do {
                random.nextBytes(block);
                values = type.dequantize(MemorySegment.ofArray(block));
            } while (!reasonable(values));
            System.arraycopy(block, 0, raw, at, bytes);
        }
        return type.dequantize(MemorySegment.ofArray(raw));
    }

    private static boolean readable(GgmlType type) {
        try {
            return type.dequantize(MemorySegment.ofArray(new byte[type.blockBytes()])).length > 0;
        } catch (IllegalArgumentException unreadable) {
            return false;
        }
    }

    private static boolean reasonable(float[] values) {
        for (float v : values) {
            if (!(Math.abs(v) < 1e20)) {
                return false;
            }
        }
        return true;
    }
}
