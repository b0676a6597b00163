package dev.halftone.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.format.gguf.GgmlType;
import dev.halftone.quant.AmaxGrid;
import dev.halftone.quant.CompressedIntGrid;
import dev.halftone.quant.GgufGrid;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Int4Grid;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.MiniFloat;
import dev.halftone.quant.MxGrid;
import dev.halftone.quant.Nvfp4Grid;
import dev.halftone.quant.Nvfp4Oracle;
import dev.halftone.quant.Q8Grid;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import jdk.incubator.vector.FloatVector;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// The JVM fixes the vector width when it starts, so each width has a JVM of its own.
class VectorWidthTest {
    @Test
    void everyVectorWidthGivesTheSameBits() throws Exception {
        Map<String, String> hashes = new HashMap<>();
        for (int bytes : new int[] {16, 32, 64}) {
            String[] line = child(bytes).split(" ");
            hashes.put(line[0], line[1]);
        }
        assertThat(hashes).containsKey("128");
        assertThat(hashes.values()).containsOnly(hashes.get("128"));
    }

    private static String child(int bytes) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--add-modules=jdk.incubator.vector",
                        "-XX:MaxVectorSize=" + bytes,
                        "-cp",
                        System.getProperty("java.class.path"),
                        VectorWidthTest.class.getName())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String out = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor()).isZero();
        return out.strip();
    }

    /// Prints the width in bits and a hash of what every grid makes of the same values.
    public static void main(String[] args) {
        long hash = 0;
        Random random = new Random(5);
        float[] tile = new float[1003];
        for (int i = 0; i < tile.length; i++) {
            tile[i] = (float) random.nextGaussian();
        }
        hash = 31 * hash + Double.hashCode(Tiles.dot(tile, tile, tile.length));
        for (IntxGrid grid : IntxInputs.grids()) {
            hash = hash(hash, random, grid, new IntxVectors(grid, null));
        }
        for (Grid grid : GridInputs.grids(new Granularity.PerAxis())) {
            switch (grid) {
                case Int4Grid g -> hash = hash(hash, random, grid, new Int4Vectors(g));
                case CompressedIntGrid g -> hash = hash(hash, random, grid, new CompressedIntVectors(g, null));
                default -> {}
            }
        }
        for (GgufGrid grid : GgufInputs.grids()) {
            hash = hash(hash, random, grid, new GgufVectors(grid));
        }
        for (Q8Grid grid : Q8KernelTest.grids()) {
            hash = hash(hash, random, grid, new Q8Vectors(grid));
        }
        for (MxGrid grid : FloatBlockInputs.mx()) {
            hash = hash(hash, random, grid, new MxVectors(grid));
        }
        for (Nvfp4Grid grid : FloatBlockInputs.nvfp4()) {
            hash = hash(hash, random, grid, new Nvfp4Vectors(grid, Nvfp4Oracle.tensorScale(3, grid)));
        }
        for (AmaxGrid grid : AmaxInputs.grids()) {
            hash = hash(hash, random, grid, new AmaxVectors(grid, null));
        }
        for (RowMatrix matrix : rows(random)) {
            float[] x = IntxInputs.values(random, 1, matrix.columns(), DType.F32);
            float[] y = new float[matrix.rows()];
            matrix.multiply(x, y, 0, y.length);
            RowVectors.exp(x, 1, x.length - 3);
            if (matrix instanceof FloatRows floats) {
                floats.combine(y.clone(), x, 0);
            }
            hash = hash(hash, MemorySegment.ofArray(x), DType.F32);
            hash = hash(hash, MemorySegment.ofArray(y), DType.F32);
        }
        hash = attention(hash, random);
        System.out.println(FloatVector.SPECIES_PREFERRED.vectorBitSize() + " " + Long.toHexString(hash));
    }

    private static long attention(long before, Random random) {
        int count = 109;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment scores = memory(arena, IntxInputs.values(random, 1, count, DType.BF16), DType.BF16);
            MemorySegment again = arena.allocate(scores.byteSize()).copyFrom(scores);
            MemorySegment d = memory(arena, IntxInputs.values(random, 1, count, DType.BF16), DType.BF16);
            float[] statistics = new float[2];
            AttentionRows.softmax(scores, 0, new float[count], count, 0.1f, statistics, 0);
            AttentionRows.gradient(again, d, 0, new float[count], new float[count], count, 0.1f, statistics, 0);
            return hash(hash(hash(before, scores, DType.BF16), again, DType.BF16), d, DType.BF16);
        }
    }

    private static List<RowMatrix> rows(Random random) {
        byte[] raw = new byte[1 << 13];
        random.nextBytes(raw);
        MemorySegment w = Arena.global().allocate(raw.length).copyFrom(MemorySegment.ofArray(raw));
        float[] numbers = new float[24];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = (float) random.nextGaussian();
        }
        return List.of(
                new FloatRows(w, DType.F32, 5, 109),
                new FloatRows(w, DType.BF16, 5, 109),
                new BlockRows(GgmlType.Q4_0, w, 3, 96),
                new BlockRows(GgmlType.Q4_1, w, 3, 96),
                new BlockRows(GgmlType.Q8_0, w, 3, 96),
                new FiveBitRows(GgmlType.Q5_0, w, 3, 96),
                new FiveBitRows(GgmlType.Q5_1, w, 3, 96),
                codes(w, 1, null, numbers),
                codes(w, 2, null, numbers),
                codes(w, 4, null, numbers),
                codes(w, 1, MiniFloat.E4M3, numbers));
    }

    /// Some of the rows are no whole steps.
    private static CodeRows codes(MemorySegment w, int perByte, @Nullable MiniFloat format, float[] scales) {
        CodeValues.Scales all = new CodeValues.Scales(null, scales);
        return new CodeRows(w, 4, 208, perByte, 208, new CodeValues(true, format, all, scales, 1));
    }

    /// The blocks are of sizes that no vector divides, whatever the grid's own are.
    private static long hash(long before, Random random, Grid grid, VectorBlocks vectors) {
        long hash = before;
        for (int group : new int[] {7, 32, 100}) {
            int blocks = 24;
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment memory =
                        memory(arena, IntxInputs.values(random, blocks, group, grid.dtype()), grid.dtype());
                float[] x = new float[blocks * group];
                float[] g = new float[blocks * group];
                Tiles.load(memory, 0, x, x.length, grid.dtype());
                Tiles.load(memory, 0, g, g.length, grid.dtype());
                vectors.gradientAll(x.clone(), g, x.length, group, GradientRule.OPEN);
                vectors.fakeQuantizeAll(x, x.length, group);
                for (float[] values : new float[][] {x, g}) {
                    Tiles.store(values, values.length, memory, 0, grid.dtype());
                    hash = hash(hash, memory, grid.dtype());
                }
            }
        }
        return hash;
    }

    private static MemorySegment memory(Arena arena, float[] values, DType dtype) {
        MemorySegment memory = arena.allocate((long) values.length * dtype.bytes());
        for (int i = 0; i < values.length; i++) {
            switch (dtype) {
                case F32 -> memory.setAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i, values[i]);
                case BF16 -> {
                    short half = (short) (Float.floatToRawIntBits(values[i]) >>> 16);
                    memory.setAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, i, half);
                }
                default -> memory.setAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, i, Float.floatToFloat16(values[i]));
            }
        }
        return memory;
    }

    /// Every NaN counts as the same value.
    private static long hash(long hash, MemorySegment values, DType dtype) {
        long h = hash;
        for (int i = 0; i < values.byteSize() / dtype.bytes(); i++) {
            float v = switch (dtype) {
                case F32 -> values.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i);
                case BF16 -> Float.intBitsToFloat(values.getAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, i) << 16);
                default -> Float.float16ToFloat(values.getAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, i));
            };
            h = h * 31 + Float.floatToIntBits(v);
        }
        return h;
    }
}
