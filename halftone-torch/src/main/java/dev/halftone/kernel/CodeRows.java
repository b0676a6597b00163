package dev.halftone.kernel;

import static dev.halftone.kernel.RowVectors.F;
import static dev.halftone.kernel.RowVectors.I;
import static dev.halftone.kernel.RowVectors.LANES;
import static dev.halftone.kernel.RowVectors.MEMORY;
import static dev.halftone.kernel.RowVectors.PARTS;
import static dev.halftone.kernel.RowVectors.WIDTH;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.ByteVector.SPECIES_64;
import static jdk.incubator.vector.VectorOperators.B2I;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;

import dev.halftone.quant.Grid;
import dev.halftone.quant.MiniFloat;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.stream.IntStream;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/// Rows of codes as [GridMatrix] packs them.
///
/// A step takes two vectors of codes: of codes of 4 bits, the lower and the upper halves of eight bytes. Whole numbers
/// are converted where they stand in the byte, floats are shifted into a float32's place. The scale of its group is
/// applied to the sum of a step, and what is added to all weights of a group is multiplied by the sum of its
/// activations.
///
/// Codes that share a byte are neighbours, so that a vector of bytes holds every second or fourth code: `x` is brought
/// into their order once. Steps run through the row in one loop, and find their scales in an array: of a loop over
/// each group within another the compiler makes three each time, and these took up to three times as long.
final class CodeRows implements FourRows {
    /// Bits of a float32's mantissa.
    private static final int MANTISSA = 23;

    private final MemorySegment w;
    private final int rows;
    private final int columns;
    private final int perByte;
    private final int group;
    private final CodeValues values;

    /// Codes in a step: two vectors of each pass.
    private final int step;

    /// What of a row is taken in steps, all of it where they divide its groups; the rest is added one by one.
    private final int stepped;

    /// Bytes from the first vector of a step to the second: 0 where that has the upper halves of the same bytes.
    private final int hop;

    /// Codes in half a byte, each of which is taken in a pass of its own.
    private final int passes;

    /// The group of each step of a row.
    private final int[] groups;

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
        this.step = LANES * Math.max(2, perByte);
        this.stepped = group == columns ? columns - columns % step : group % step == 0 ? columns : 0;
        this.hop = perByte == 1 ? LANES : 0;
        this.passes = Math.max(1, perByte / 2);
        this.groups =
                IntStream.range(0, stepped / step).map(i -> i * step / group).toArray();
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
                y[r] += values.times() * RowVectors.dot(offsets, r * perRow, sums, 0, perRow);
            }
        }
    }

    /// `x` in the order of the steps: for each pass, eight bytes' lower halves and then their upper ones. Where whole
    /// numbers are not at the lowest bits, `x` has the power of two that they are larger by.
    private float[] arranged(float[] x) {
        float[] to = x.clone();
        for (int from = 0; from < stepped; from += step) {
            for (int code = 0; code < perByte; code++) {
                int first = code % passes * (stepped / passes) + from / step * 2 * LANES + code / passes * LANES;
                float unit = values.format() == null ? 1f / (1 << code * (Byte.SIZE / perByte)) : 1;
                for (int i = 0; i < LANES; i++) {
                    to[first + i] = x[from + i * perByte + code] * unit;
                }
            }
        }
        return to;
    }

    @Override
    public int scratch() {
        return FourRows.super.scratch() + FOUR * groups.length;
    }

    @Override
    public void four(float[] x, int r0, int r1, int r2, int r3, float[] lanes) {
        int row = columns / perByte;
        long a = RowVectors.address(w, (long) rows * row);
        long a0 = a + (long) r0 * row;
        long a1 = a + (long) r1 * row;
        long a2 = a + (long) r2 * row;
        long a3 = a + (long) r3 * row;
        Arrays.fill(lanes, 0, FOUR * LANES, 0);
        scales(r0, lanes, 0);
        scales(r1, lanes, 1);
        scales(r2, lanes, 2);
        scales(r3, lanes, 3);
        MiniFloat format = values.format();
        if (format != null) {
            floats(x, format, a0, a1, a2, a3, lanes);
        } else {
            for (int pass = 0; pass < passes; pass++) {
                wholes(x, pass, a0, a1, a2, a3, lanes);
            }
        }
        if (stepped < columns) {
            rest(x, r0, lanes, 0);
            rest(x, r1, lanes, 1);
            rest(x, r2, lanes, 2);
            rest(x, r3, lanes, 3);
        }
    }

    /// Writes the scale of each step of a row behind the lanes.
    private void scales(int r, float[] lanes, int row) {
        values.scales().spread(r * (columns / group), groups, lanes, FOUR * LANES + row * groups.length);
    }

    /// Adds what is no whole step of a row.
    private void rest(float[] x, int r, float[] lanes, int row) {
        int bits = Byte.SIZE / perByte;
        for (int c = stepped; c < columns; c++) {
            long i = (long) r * columns + c;
            int code = w.get(JAVA_BYTE, i / perByte) >> c % perByte * bits & (1 << bits) - 1;
            float weight = number(code) * values.scales().get((int) (i / group));
            lanes[row * LANES + c % LANES] = Math.fma(weight, x[c], lanes[row * LANES + c % LANES]);
        }
    }

    private float number(int code) {
        MiniFloat format = values.format();
        return format != null ? format.decode((byte) code) : values.signed() ? (byte) code : code;
    }

    /// Adds the products with whole numbers: what the masks leave of bytes, where it stands.
    ///
    /// @param pass which of the codes in each half of a byte
    private void wholes(float[] x, int pass, long a0, long a1, long a2, long a3, float[] lanes) {
        int bits = Byte.SIZE / perByte;
        int low = perByte > 1 ? (1 << bits) - 1 << pass * bits : values.signed() ? -1 : 255;
        int high = perByte > 1 ? low << 4 : low;
        int first = pass * (stepped / passes);
        int steps = groups.length;
        for (int p = 0; p < PARTS; p++) {
            FloatVector t0 = FloatVector.fromArray(F, lanes, 0 + p * WIDTH);
            FloatVector t1 = FloatVector.fromArray(F, lanes, 8 + p * WIDTH);
            FloatVector t2 = FloatVector.fromArray(F, lanes, 16 + p * WIDTH);
            FloatVector t3 = FloatVector.fromArray(F, lanes, 24 + p * WIDTH);
            int at = FOUR * LANES;
            for (int b = 0, c = first + p * WIDTH; at < FOUR * LANES + steps; b += LANES + hop, c += 2 * LANES, at++) {
                FloatVector u = FloatVector.fromArray(F, x, c);
                FloatVector v = FloatVector.fromArray(F, x, c + LANES);

                IntVector i0 = (IntVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a0 + b, LITTLE_ENDIAN)
                        .convertShape(B2I, I, p);
                IntVector j0 = (IntVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a0 + b + hop, LITTLE_ENDIAN)
                        .convertShape(B2I, I, p);
                FloatVector s0 = ((FloatVector) i0.and(low).convertShape(I2F, F, 0)).mul(u);
                s0 = ((FloatVector) j0.and(high).convertShape(I2F, F, 0)).fma(v, s0);
                t0 = s0.fma(FloatVector.broadcast(F, lanes[at]), t0);

                IntVector i1 = (IntVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a1 + b, LITTLE_ENDIAN)
                        .convertShape(B2I, I, p);
                IntVector j1 = (IntVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a1 + b + hop, LITTLE_ENDIAN)
                        .convertShape(B2I, I, p);
                FloatVector s1 = ((FloatVector) i1.and(low).convertShape(I2F, F, 0)).mul(u);
                s1 = ((FloatVector) j1.and(high).convertShape(I2F, F, 0)).fma(v, s1);
                t1 = s1.fma(FloatVector.broadcast(F, lanes[at + steps]), t1);

                IntVector i2 = (IntVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a2 + b, LITTLE_ENDIAN)
                        .convertShape(B2I, I, p);
                IntVector j2 = (IntVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a2 + b + hop, LITTLE_ENDIAN)
                        .convertShape(B2I, I, p);
                FloatVector s2 = ((FloatVector) i2.and(low).convertShape(I2F, F, 0)).mul(u);
                s2 = ((FloatVector) j2.and(high).convertShape(I2F, F, 0)).fma(v, s2);
                t2 = s2.fma(FloatVector.broadcast(F, lanes[at + 2 * steps]), t2);

                IntVector i3 = (IntVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a3 + b, LITTLE_ENDIAN)
                        .convertShape(B2I, I, p);
                IntVector j3 = (IntVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a3 + b + hop, LITTLE_ENDIAN)
                        .convertShape(B2I, I, p);
                FloatVector s3 = ((FloatVector) i3.and(low).convertShape(I2F, F, 0)).mul(u);
                s3 = ((FloatVector) j3.and(high).convertShape(I2F, F, 0)).fma(v, s3);
                t3 = s3.fma(FloatVector.broadcast(F, lanes[at + 3 * steps]), t3);
            }
            t0.intoArray(lanes, 0 + p * WIDTH);
            t1.intoArray(lanes, 8 + p * WIDTH);
            t2.intoArray(lanes, 16 + p * WIDTH);
            t3.intoArray(lanes, 24 + p * WIDTH);
        }
    }

    /// Adds the products with floats.
    ///
    /// With exponent and mantissa in a float32's place, and the difference of the biases added, codes are normal
    /// numbers, `(1 + m)·2^(e - bias)`. Those with an exponent of 0 mean `m·2^(1 - bias)`, which is twice that
    /// less `2^(1 - bias)`: of the two it is the smaller one, and for other codes the larger. Positive floats have
    /// the order of their bits.
    private void floats(float[] x, MiniFloat format, long a0, long a1, long a2, long a3, float[] lanes) {
        IntVector magnitude = IntVector.broadcast(I, (1 << format.bits() - 1) - 1);
        int place = MANTISSA - format.mantissaBits();
        IntVector bias = IntVector.broadcast(I, 127 - format.bias() << MANTISSA);
        FloatVector two = FloatVector.broadcast(F, 2);
        FloatVector smallest = FloatVector.broadcast(F, -Math.scalb(1f, format.minExponent()));
        int sign = Integer.SIZE - format.bits();
        int upper = perByte == 1 ? 0 : 4;
        int steps = groups.length;
        for (int p = 0; p < PARTS; p++) {
            FloatVector t0 = FloatVector.fromArray(F, lanes, 0 + p * WIDTH);
            FloatVector t1 = FloatVector.fromArray(F, lanes, 8 + p * WIDTH);
            FloatVector t2 = FloatVector.fromArray(F, lanes, 16 + p * WIDTH);
            FloatVector t3 = FloatVector.fromArray(F, lanes, 24 + p * WIDTH);
            int at = FOUR * LANES;
            for (int b = 0, c = p * WIDTH; at < FOUR * LANES + steps; b += LANES + hop, c += 2 * LANES, at++) {
                FloatVector u = FloatVector.fromArray(F, x, c);
                FloatVector v = FloatVector.fromArray(F, x, c + LANES);

                IntVector i0 = (IntVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a0 + b, LITTLE_ENDIAN)
                        .convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector j0 = (IntVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a0 + b + hop, LITTLE_ENDIAN)
                        .convertShape(ZERO_EXTEND_B2I, I, p);
                j0 = j0.lanewise(LSHR, upper);
                IntVector m0 = i0.and(magnitude).lanewise(LSHL, place).add(bias);
                IntVector n0 = j0.and(magnitude).lanewise(LSHL, place).add(bias);
                m0 = m0.min(m0.reinterpretAsFloats().fma(two, smallest).reinterpretAsInts());
                n0 = n0.min(n0.reinterpretAsFloats().fma(two, smallest).reinterpretAsInts());
                m0 = m0.or(i0.lanewise(LSHL, sign).and(Integer.MIN_VALUE));
                n0 = n0.or(j0.lanewise(LSHL, sign).and(Integer.MIN_VALUE));
                FloatVector s0 =
                        n0.reinterpretAsFloats().fma(v, m0.reinterpretAsFloats().mul(u));
                t0 = s0.fma(FloatVector.broadcast(F, lanes[at]), t0);

                IntVector i1 = (IntVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a1 + b, LITTLE_ENDIAN)
                        .convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector j1 = (IntVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a1 + b + hop, LITTLE_ENDIAN)
                        .convertShape(ZERO_EXTEND_B2I, I, p);
                j1 = j1.lanewise(LSHR, upper);
                IntVector m1 = i1.and(magnitude).lanewise(LSHL, place).add(bias);
                IntVector n1 = j1.and(magnitude).lanewise(LSHL, place).add(bias);
                m1 = m1.min(m1.reinterpretAsFloats().fma(two, smallest).reinterpretAsInts());
                n1 = n1.min(n1.reinterpretAsFloats().fma(two, smallest).reinterpretAsInts());
                m1 = m1.or(i1.lanewise(LSHL, sign).and(Integer.MIN_VALUE));
                n1 = n1.or(j1.lanewise(LSHL, sign).and(Integer.MIN_VALUE));
                FloatVector s1 =
                        n1.reinterpretAsFloats().fma(v, m1.reinterpretAsFloats().mul(u));
                t1 = s1.fma(FloatVector.broadcast(F, lanes[at + steps]), t1);

                IntVector i2 = (IntVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a2 + b, LITTLE_ENDIAN)
                        .convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector j2 = (IntVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a2 + b + hop, LITTLE_ENDIAN)
                        .convertShape(ZERO_EXTEND_B2I, I, p);
                j2 = j2.lanewise(LSHR, upper);
                IntVector m2 = i2.and(magnitude).lanewise(LSHL, place).add(bias);
                IntVector n2 = j2.and(magnitude).lanewise(LSHL, place).add(bias);
                m2 = m2.min(m2.reinterpretAsFloats().fma(two, smallest).reinterpretAsInts());
                n2 = n2.min(n2.reinterpretAsFloats().fma(two, smallest).reinterpretAsInts());
                m2 = m2.or(i2.lanewise(LSHL, sign).and(Integer.MIN_VALUE));
                n2 = n2.or(j2.lanewise(LSHL, sign).and(Integer.MIN_VALUE));
                FloatVector s2 =
                        n2.reinterpretAsFloats().fma(v, m2.reinterpretAsFloats().mul(u));
                t2 = s2.fma(FloatVector.broadcast(F, lanes[at + 2 * steps]), t2);

                IntVector i3 = (IntVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a3 + b, LITTLE_ENDIAN)
                        .convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector j3 = (IntVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a3 + b + hop, LITTLE_ENDIAN)
                        .convertShape(ZERO_EXTEND_B2I, I, p);
                j3 = j3.lanewise(LSHR, upper);
                IntVector m3 = i3.and(magnitude).lanewise(LSHL, place).add(bias);
                IntVector n3 = j3.and(magnitude).lanewise(LSHL, place).add(bias);
                m3 = m3.min(m3.reinterpretAsFloats().fma(two, smallest).reinterpretAsInts());
                n3 = n3.min(n3.reinterpretAsFloats().fma(two, smallest).reinterpretAsInts());
                m3 = m3.or(i3.lanewise(LSHL, sign).and(Integer.MIN_VALUE));
                n3 = n3.or(j3.lanewise(LSHL, sign).and(Integer.MIN_VALUE));
                FloatVector s3 =
                        n3.reinterpretAsFloats().fma(v, m3.reinterpretAsFloats().mul(u));
                t3 = s3.fma(FloatVector.broadcast(F, lanes[at + 3 * steps]), t3);
            }
            t0.intoArray(lanes, 0 + p * WIDTH);
            t1.intoArray(lanes, 8 + p * WIDTH);
            t2.intoArray(lanes, 16 + p * WIDTH);
            t3.intoArray(lanes, 24 + p * WIDTH);
        }
    }
}
