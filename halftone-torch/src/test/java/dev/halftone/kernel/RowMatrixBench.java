package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.format.gguf.GgmlType;
import dev.halftone.quant.MiniFloat;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.util.Random;

/// Times one row times a matrix of 28 million weights, more than caches hold, on one thread, in nanoseconds of its
/// processor time for each
/// weight, the best of several:
///
/// ```bash
/// java --add-modules jdk.incubator.vector --enable-native-access=ALL-UNNAMED \
///     -cp "halftone-torch/target/test-classes:$(cat halftone-cli/target/classpath.txt)" \
///     dev.halftone.kernel.RowMatrixBench
/// ```
final class RowMatrixBench {
    private static final int ROWS = 49152;
    private static final int COLUMNS = 576;

    private RowMatrixBench() {}

    public static void main(String[] args) {
        MemorySegment w = Arena.global().allocate(4L * ROWS * COLUMNS);
        Random random = new Random(1);
        // Whatever they are read as, they are no subnormal numbers, which processors are slow with.
        for (long i = 0; i < w.byteSize(); i += Integer.BYTES) {
            w.set(ValueLayout.JAVA_INT_UNALIGNED, i, random.nextInt() & 0x00ff00ff | 0x3f003f00);
        }
        run("float32", new FloatRows(w, DType.F32, ROWS, COLUMNS));
        run("bfloat16", new FloatRows(w, DType.BF16, ROWS, COLUMNS));
        run("Q8_0", new BlockRows(GgmlType.Q8_0, w, ROWS, COLUMNS));
        run("Q4_0", new BlockRows(GgmlType.Q4_0, w, ROWS, COLUMNS));
        run("Q4_1", new BlockRows(GgmlType.Q4_1, w, ROWS, COLUMNS));
        run("Q5_0", new FiveBitRows(GgmlType.Q5_0, w, ROWS, COLUMNS));
        run("Q5_1", new FiveBitRows(GgmlType.Q5_1, w, ROWS, COLUMNS));
        float[] scales = new float[ROWS * COLUMNS / 16];
        CodeValues.Scales floats = new CodeValues.Scales(null, scales);
        CodeValues.Scales bytes = new CodeValues.Scales(new byte[scales.length], new float[256]);
        run("2-bit codes", new CodeRows(w, ROWS, COLUMNS, 4, 32, new CodeValues(true, null, floats, null, 1)));
        run("4-bit codes", new CodeRows(w, ROWS, COLUMNS, 2, 32, new CodeValues(true, null, floats, null, 1)));
        run("4-bit, offsets", new CodeRows(w, ROWS, COLUMNS, 2, 32, new CodeValues(true, null, floats, scales, 1)));
        run("mxfp4", new CodeRows(w, ROWS, COLUMNS, 2, 32, new CodeValues(true, MiniFloat.E2M1, bytes, null, 1)));
        run("nvfp4", new CodeRows(w, ROWS, COLUMNS, 2, 16, new CodeValues(true, MiniFloat.E2M1, bytes, null, 1)));
        run("8-bit codes", new CodeRows(w, ROWS, COLUMNS, 1, 32, new CodeValues(true, null, floats, null, 1)));
        run(
                "float8",
                new CodeRows(w, ROWS, COLUMNS, 1, COLUMNS, new CodeValues(true, MiniFloat.E4M3, floats, null, 1)));
        run("mxfp8", new CodeRows(w, ROWS, COLUMNS, 1, 32, new CodeValues(true, MiniFloat.E4M3, bytes, null, 1)));
        for (GgmlType type : new GgmlType[] {GgmlType.Q4_0, GgmlType.Q5_0, GgmlType.Q5_1, GgmlType.MXFP4}) {
            run(type + ", decoded", new DecodedRows(type, w, ROWS, COLUMNS));
        }
    }

    private static void run(String name, RowMatrix matrix) {
        float[] x = new float[COLUMNS];
        float[] y = new float[ROWS];
        long best = Long.MAX_VALUE;
        for (int i = 0; i < 30; i++) {
            long start = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
            matrix.multiply(x, y, 0, ROWS);
            best = Math.min(best, ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - start);
        }
        System.out.printf("%-16s %.3f ns%n", name, (double) best / ROWS / COLUMNS);
    }
}
