package dev.halftone.kernel;

import static dev.halftone.kernel.RowVectors.F;
import static dev.halftone.kernel.RowVectors.I;
import static dev.halftone.kernel.RowVectors.LANES;
import static dev.halftone.kernel.RowVectors.MEMORY;
import static dev.halftone.kernel.RowVectors.PARTS;
import static dev.halftone.kernel.RowVectors.WIDTH;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.ByteVector.SPECIES_128;
import static jdk.incubator.vector.ByteVector.SPECIES_64;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.XOR;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;

import dev.halftone.quant.Grid;
import dev.halftone.quant.MiniFloat;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/// Rows of codes as [GridMatrix] packs them.
///
/// Codes become numbers in one of three ways, eight of them in a step. Those that share a byte are looked up, a nibble
/// at a time, in a table of sixteen signed bytes: the numbers of any grid of up to 4 bits, e2m1's in halves. Whole
/// numbers of a byte are converted, floats of a byte shifted into a float32's place. A group's scale is applied to the
/// group's sum, and what is added to all of its weights is multiplied by the sum of its activations.
///
/// Codes that share a byte are neighbours, and a vector of bytes holds every second or fourth code: `x` is brought into
/// their order once.
final class CodeRows implements FourRows {
    private static final int NIBBLES = 16;

    /// Bits of a float32's mantissa.
    private static final int MANTISSA = 23;

    private final MemorySegment w;
    private final int rows;
    private final int columns;
    private final int perByte;
    private final int group;
    private final CodeValues values;
    /// What of a group is whole steps; the rest is added one by one.
    private final int even;

    /// The numbers of the nibbles of bytes: of the one code in them, or of the lower and then of the upper.
    private final byte[][] tables;

    /// @param w the bytes of row after row
    /// @param perByte codes in a byte
    /// @param group codes that share a scale
    CodeRows(MemorySegment w, int rows, int columns, int perByte, int group, CodeValues values) {
        this.w = w;
        this.rows = rows;
        this.columns = columns;
        this.perByte = perByte;
        this.group = group;
        this.values = values;
        this.even = group % perByte == 0 ? group - group % (LANES * perByte) : 0;
        this.tables = new byte[perByte / 2][NIBBLES];
        int bits = Byte.SIZE / perByte;
        for (int t = 0; t < tables.length; t++) {
            for (int i = 0; i < NIBBLES; i++) {
                tables[t][i] = (byte) values.numbers()[i >> t * bits & (1 << bits) - 1];
            }
        }
    }

    static CodeRows of(Quantized packed, Grid grid, int perByte) {
        int rows = Math.toIntExact(packed.codes().size(0));
        int columns = Math.toIntExact(packed.codes().size(1) * perByte);
        int group = grid.granularity().groupSize(columns);
        MemorySegment w = Torch.memory(packed.codes());
        int groups = Math.toIntExact((long) rows * columns / group);
        CodeRows matrix = new CodeRows(w, rows, columns, perByte, group, CodeValues.of(packed, grid, perByte, groups));
        matrix.spoil();
        return matrix;
    }

    /// Makes a group NaN where it has a code that is no finite number: [#floats] would take it for one.
    private void spoil() {
        MiniFloat format = values.format();
        if (perByte > 1 || format == null || !format.hasNaN()) {
            return;
        }
        byte last = format.encode(format.max());
        Parallel.run(rows * (columns / group), group, (from, to) -> {
            for (int g = from; g < to; g++) {
                boolean finite = true;
                for (int i = 0; i < group; i++) {
                    finite &= (w.get(JAVA_BYTE, (long) g * group + i) & 0x7f) <= last;
                }
                if (!finite) {
                    values.scales().spoil(g);
                }
            }
        });
    }

    @Override
    public int rows() {
        return rows;
    }

    @Override
    public int columns() {
        return columns;
    }

    @Override
    public void multiply(float[] x, float[] y, int from, int to) {
        FourRows.super.multiply(perByte == 1 ? x : arranged(x), y, from, to);
        float[] offsets = values.offsets();
        if (offsets != null) {
            int perRow = columns / group;
            float[] sums = RowVectors.sums(x, group);
            for (int r = from; r < to; r++) {
                y[r] += RowVectors.dot(offsets, r * perRow, sums, 0, perRow);
            }
        }
    }

    /// `x` in the order of the steps: for each table, eight bytes' lower nibbles and then their upper ones.
    private float[] arranged(float[] x) {
        float[] to = x.clone();
        int tables = perByte / 2;
        for (int first = 0; first < columns; first += group) {
            for (int i = 0; i < even; i++) {
                int step = i / (LANES * perByte);
                int at = i / perByte % LANES;
                int nibble = i % perByte / tables;
                int table = i % tables;
                to[first + table * (even / tables) + (2 * step + nibble) * LANES + at] = x[first + i];
            }
        }
        return to;
    }

    @Override
    public void four(float[] x, int r0, int r1, int r2, int r3, float[] lanes) {
        int row = columns / perByte;
        long a = RowVectors.address(w, (long) rows * row);
        long a0 = a + (long) r0 * row;
        long a1 = a + (long) r1 * row;
        long a2 = a + (long) r2 * row;
        long a3 = a + (long) r3 * row;
        int perRow = columns / group;
        int g0 = r0 * perRow;
        int g1 = r1 * perRow;
        int g2 = r2 * perRow;
        int g3 = r3 * perRow;
        Arrays.fill(lanes, 0);
        for (int t = 0; t < tables.length; t++) {
            nibbles(x, t, a0, a1, a2, a3, g0, g1, g2, g3, lanes);
        }
        if (perByte == 1) {
            if (values.format() == null) {
                wholes(x, a0, a1, a2, a3, g0, g1, g2, g3, lanes);
            } else {
                floats(x, values.format(), a0, a1, a2, a3, g0, g1, g2, g3, lanes);
            }
        }
        if (even < group) {
            rest(x, a0, g0, lanes, 0);
            rest(x, a1, g1, lanes, LANES);
            rest(x, a2, g2, lanes, 2 * LANES);
            rest(x, a3, g3, lanes, 3 * LANES);
        }
    }

    /// Adds what is left of each group of a row.
    private void rest(float[] x, long row, int g, float[] lanes, int lane) {
        int bits = Byte.SIZE / perByte;
        for (int c = 0; c < columns; c++) {
            if (c % group >= even) {
                int code = MEMORY.get(JAVA_BYTE, row + c / perByte) >> c % perByte * bits & (1 << bits) - 1;
                float number = values.numbers()[code] * values.scales().get(g + c / group);
                lanes[lane + c % LANES] = Math.fma(number, x[c], lanes[lane + c % LANES]);
            }
        }
    }

    private void nibbles(
            float[] x, int t, long a0, long a1, long a2, long a3, int g0, int g1, int g2, int g3, float[] lanes) {
        ByteVector table = ByteVector.fromArray(SPECIES_128, tables[t], 0);
        int bytes = even / perByte;
        int perRow = columns / group;
        for (int p = 0; p < PARTS; p++) {
            FloatVector t0 = FloatVector.fromArray(F, lanes, 0 + p * WIDTH);
            FloatVector t1 = FloatVector.fromArray(F, lanes, 8 + p * WIDTH);
            FloatVector t2 = FloatVector.fromArray(F, lanes, 16 + p * WIDTH);
            FloatVector t3 = FloatVector.fromArray(F, lanes, 24 + p * WIDTH);
            for (int g = 0; g < perRow; g++) {
                FloatVector s0 = FloatVector.zero(F);
                FloatVector s1 = s0;
                FloatVector s2 = s0;
                FloatVector s3 = s0;
                int c = g * group + 2 * t * bytes + p * WIDTH;
                long from = (long) g * (group / perByte);
                for (long b = from; b < from + bytes; b += LANES, c += 2 * LANES) {
                    FloatVector u = FloatVector.fromArray(F, x, c);
                    FloatVector v = FloatVector.fromArray(F, x, c + LANES);
                    ByteVector b0 = bytes(a0 + b);
                    s0 = looked(b0.and((byte) 15), table, p).fma(u, s0);
                    s0 = looked(b0.lanewise(LSHR, 4), table, p).fma(v, s0);
                    ByteVector b1 = bytes(a1 + b);
                    s1 = looked(b1.and((byte) 15), table, p).fma(u, s1);
                    s1 = looked(b1.lanewise(LSHR, 4), table, p).fma(v, s1);
                    ByteVector b2 = bytes(a2 + b);
                    s2 = looked(b2.and((byte) 15), table, p).fma(u, s2);
                    s2 = looked(b2.lanewise(LSHR, 4), table, p).fma(v, s2);
                    ByteVector b3 = bytes(a3 + b);
                    s3 = looked(b3.and((byte) 15), table, p).fma(u, s3);
                    s3 = looked(b3.lanewise(LSHR, 4), table, p).fma(v, s3);
                }
                t0 = s0.fma(FloatVector.broadcast(F, values.scales().get(g0 + g)), t0);
                t1 = s1.fma(FloatVector.broadcast(F, values.scales().get(g1 + g)), t1);
                t2 = s2.fma(FloatVector.broadcast(F, values.scales().get(g2 + g)), t2);
                t3 = s3.fma(FloatVector.broadcast(F, values.scales().get(g3 + g)), t3);
            }
            t0.intoArray(lanes, 0 + p * WIDTH);
            t1.intoArray(lanes, 8 + p * WIDTH);
            t2.intoArray(lanes, 16 + p * WIDTH);
            t3.intoArray(lanes, 24 + p * WIDTH);
        }
    }

    private static ByteVector bytes(long address) {
        return ByteVector.fromMemorySegment(SPECIES_64, MEMORY, address, LITTLE_ENDIAN)
                .reinterpretShape(SPECIES_128, 0)
                .reinterpretAsBytes();
    }

    private static FloatVector looked(ByteVector nibbles, ByteVector table, int p) {
        return (FloatVector) nibbles.selectFrom(table).convertShape(B2F, F, p);
    }

    // "flip" makes unsigned codes signed: the numbers that CodeValues gives them are 128 less.
    private void wholes(float[] x, long a0, long a1, long a2, long a3, int g0, int g1, int g2, int g3, float[] lanes) {
        byte flip = (byte) values.numbers()[0];
        int perRow = columns / group;
        for (int p = 0; p < PARTS; p++) {
            FloatVector t0 = FloatVector.fromArray(F, lanes, 0 + p * WIDTH);
            FloatVector t1 = FloatVector.fromArray(F, lanes, 8 + p * WIDTH);
            FloatVector t2 = FloatVector.fromArray(F, lanes, 16 + p * WIDTH);
            FloatVector t3 = FloatVector.fromArray(F, lanes, 24 + p * WIDTH);
            for (int g = 0; g < perRow; g++) {
                FloatVector s0 = FloatVector.zero(F);
                FloatVector s1 = s0;
                FloatVector s2 = s0;
                FloatVector s3 = s0;
                for (int c = g * group; c < g * group + even; c += LANES) {
                    FloatVector v = FloatVector.fromArray(F, x, c + p * WIDTH);
                    s0 = whole(a0 + c, flip, p).fma(v, s0);
                    s1 = whole(a1 + c, flip, p).fma(v, s1);
                    s2 = whole(a2 + c, flip, p).fma(v, s2);
                    s3 = whole(a3 + c, flip, p).fma(v, s3);
                }
                t0 = s0.fma(FloatVector.broadcast(F, values.scales().get(g0 + g)), t0);
                t1 = s1.fma(FloatVector.broadcast(F, values.scales().get(g1 + g)), t1);
                t2 = s2.fma(FloatVector.broadcast(F, values.scales().get(g2 + g)), t2);
                t3 = s3.fma(FloatVector.broadcast(F, values.scales().get(g3 + g)), t3);
            }
            t0.intoArray(lanes, 0 + p * WIDTH);
            t1.intoArray(lanes, 8 + p * WIDTH);
            t2.intoArray(lanes, 16 + p * WIDTH);
            t3.intoArray(lanes, 24 + p * WIDTH);
        }
    }

    private static FloatVector whole(long address, byte flip, int p) {
        ByteVector codes = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, address, LITTLE_ENDIAN);
        return (FloatVector) codes.lanewise(XOR, flip).convertShape(B2F, F, p);
    }

    private void floats(
            float[] x,
            MiniFloat format,
            long a0,
            long a1,
            long a2,
            long a3,
            int g0,
            int g1,
            int g2,
            int g3,
            float[] lanes) {
        int sign = Integer.SIZE - format.bits();
        int magnitude = (1 << format.bits() - 1) - 1;
        int place = MANTISSA - format.mantissaBits();
        int bias = 127 - format.bias() << MANTISSA;
        float smallest = -Math.scalb(1f, format.minExponent());
        int perRow = columns / group;
        for (int p = 0; p < PARTS; p++) {
            FloatVector t0 = FloatVector.fromArray(F, lanes, 0 + p * WIDTH);
            FloatVector t1 = FloatVector.fromArray(F, lanes, 8 + p * WIDTH);
            FloatVector t2 = FloatVector.fromArray(F, lanes, 16 + p * WIDTH);
            FloatVector t3 = FloatVector.fromArray(F, lanes, 24 + p * WIDTH);
            for (int g = 0; g < perRow; g++) {
                FloatVector s0 = FloatVector.zero(F);
                FloatVector s1 = s0;
                FloatVector s2 = s0;
                FloatVector s3 = s0;
                for (int c = g * group; c < g * group + even; c += LANES) {
                    FloatVector v = FloatVector.fromArray(F, x, c + p * WIDTH);
                    s0 = placed(a0 + c, p, sign, magnitude, place, bias, smallest)
                            .fma(v, s0);
                    s1 = placed(a1 + c, p, sign, magnitude, place, bias, smallest)
                            .fma(v, s1);
                    s2 = placed(a2 + c, p, sign, magnitude, place, bias, smallest)
                            .fma(v, s2);
                    s3 = placed(a3 + c, p, sign, magnitude, place, bias, smallest)
                            .fma(v, s3);
                }
                t0 = s0.fma(FloatVector.broadcast(F, values.scales().get(g0 + g)), t0);
                t1 = s1.fma(FloatVector.broadcast(F, values.scales().get(g1 + g)), t1);
                t2 = s2.fma(FloatVector.broadcast(F, values.scales().get(g2 + g)), t2);
                t3 = s3.fma(FloatVector.broadcast(F, values.scales().get(g3 + g)), t3);
            }
            t0.intoArray(lanes, 0 + p * WIDTH);
            t1.intoArray(lanes, 8 + p * WIDTH);
            t2.intoArray(lanes, 16 + p * WIDTH);
            t3.intoArray(lanes, 24 + p * WIDTH);
        }
    }

    /// With their exponent and mantissa in a float32's place, and the difference of the biases added, codes are
    /// normal numbers, `(1 + m)·2^(e - bias)`. Those with an exponent of 0 mean `m·2^(1 - bias)`, which is twice
    /// that less `2^(1 - bias)`, and the smaller of the two for no others.
    private static FloatVector placed(
            long address, int p, int sign, int magnitude, int place, int bias, float smallest) {
        IntVector codes = (IntVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, address, LITTLE_ENDIAN)
                .convertShape(ZERO_EXTEND_B2I, I, p);
        IntVector normal = codes.and(magnitude).lanewise(LSHL, place).add(bias);
        FloatVector number = normal.reinterpretAsFloats();
        IntVector tiny = number.add(number).add(smallest).reinterpretAsInts();
        return normal.min(tiny)
                .or(codes.lanewise(LSHL, sign).and(Integer.MIN_VALUE))
                .reinterpretAsFloats();
    }
}
