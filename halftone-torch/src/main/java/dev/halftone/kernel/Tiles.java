package dev.halftone.kernel;

import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.I2S;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.LT;
import static jdk.incubator.vector.VectorOperators.MAX;
import static jdk.incubator.vector.VectorOperators.MIN;
import static jdk.incubator.vector.VectorOperators.XOR;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_S2I;

import dev.halftone.DType;
import dev.halftone.quant.Rounding;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// Values between memory, in any float type, and float32 arrays that fit the first-level cache.
final class Tiles {
    static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED;
    static final VectorSpecies<Integer> I = IntVector.SPECIES_PREFERRED;
    static final int LANES = F.length();
    private static final int SUMS = 16;
    private static final int SIGN = 0x80000000;
    private static final int INFINITY = 0x7f800000;
    private static final VectorSpecies<Short> S =
            VectorSpecies.of(short.class, VectorShape.forBitSize(F.vectorBitSize() / 2));

    private Tiles() {}

    /// See [dev.halftone.quant.Rounding]; a NaN here has its lower bits clear, so that the addition cannot
    /// overflow it.
    ///
    /// The type chooses numbers, not a branch: where branches of vectors meet, C2 makes objects of them, as soon
    /// as a process has taken both.
    static FloatVector round(FloatVector v, DType type) {
        boolean whole = type == DType.F32;
        int unit = whole ? 0 : 1;
        int half = whole ? 0 : 0x7fff;
        int kept = whole ? -1 : 0xffff0000;
        IntVector bits = v.reinterpretAsInts();
        IntVector odd = bits.lanewise(LSHR, 16).and(unit);
        return bits.add(odd).add(half).and(kept).reinterpretAsFloats();
    }

    /// The bits of `max(x, 0)` and of `-min(x, 0)`; those of a NaN where there is one of that sign.
    record Extremes(int high, int low) {}

    /// The extremes of `x[from, to)`.
    ///
    /// The bits of a positive float, read as an int, order as the floats do, NaN stands above infinity, and a
    /// negative float is below zero: so they are the largest int of the values and of the negated values, with 0
    /// among them.
    static Extremes extremes(float[] x, int from, int to) {
        IntVector highs = IntVector.zero(I);
        IntVector lows = IntVector.zero(I);
        int i = from;
        for (; i <= to - LANES; i += LANES) {
            IntVector bits = FloatVector.fromArray(F, x, i).reinterpretAsInts();
            highs = highs.max(bits);
            lows = lows.max(bits.lanewise(XOR, SIGN));
        }
        int high = highs.reduceLanes(MAX);
        int low = lows.reduceLanes(MAX);
        for (; i < to; i++) {
            int bits = Float.floatToRawIntBits(x[i]);
            high = Math.max(high, bits);
            low = Math.max(low, bits ^ SIGN);
        }
        return new Extremes(high, low);
    }

    /// The largest magnitude in `x[from, to)`; NaN where it holds one.
    ///
    /// The bits of a positive float, read as an int, order as the floats do, and NaN stands above infinity.
    static float amax(float[] x, int from, int to) {
        IntVector largest = IntVector.zero(I);
        int i = from;
        for (; i <= to - LANES; i += LANES) {
            largest = largest.max(
                    FloatVector.fromArray(F, x, i).reinterpretAsInts().and(Integer.MAX_VALUE));
        }
        int bits = largest.reduceLanes(MAX);
        for (; i < to; i++) {
            bits = Math.max(bits, Float.floatToRawIntBits(x[i]) & Integer.MAX_VALUE);
        }
        return Float.intBitsToFloat(bits);
    }

    /// `count` values from `from` on, times a factor, rounded, in place.
    static void scale(float[] x, int from, int count, float factor, DType type) {
        int i = from;
        for (; i <= from + count - LANES; i += LANES) {
            round(FloatVector.fromArray(F, x, i).mul(factor), type).intoArray(x, i);
        }
        for (; i < from + count; i++) {
            x[i] = Rounding.round(x[i] * factor, type);
        }
    }

    /// The blocks of `x[0, count)`, which are whole vectors, times a factor each, from `factors[first]` on, rounded, in
    /// place.
    ///
    /// One loop: a block of a few vectors would not pay for one of its own.
    static void scale(float[] x, int count, int group, float[] factors, int first, DType type) {
        for (int i = 0, b = first, end = group; i < count; i += LANES) {
            if (i == end) {
                b++;
                end += group;
            }
            round(FloatVector.fromArray(F, x, i).mul(factors[b]), type).intoArray(x, i);
        }
    }

    /// The sum of `a[i] * b[i]` for `i < count`. Sixteen sums run side by side, each one fused multiply-add after the
    /// other, and are added up in double precision: the same bits for every vector width.
    static double dot(float[] a, float[] b, int count) {
        float[] sums = new float[SUMS];
        int whole = count - count % SUMS;
        for (int lane = 0; lane < SUMS; lane += LANES) {
            FloatVector sum = FloatVector.zero(F);
            for (int i = lane; i < whole; i += SUMS) {
                sum = FloatVector.fromArray(F, a, i).fma(FloatVector.fromArray(F, b, i), sum);
            }
            sum.intoArray(sums, lane);
        }
        for (int i = whole; i < count; i++) {
            sums[i - whole] = Math.fma(a[i], b[i], sums[i - whole]);
        }
        return total(sums);
    }

    /// The sum of `count` values, in the order of [#dot].
    static double sum(float[] x, int count) {
        float[] sums = new float[SUMS];
        int whole = count - count % SUMS;
        for (int lane = 0; lane < SUMS; lane += LANES) {
            FloatVector sum = FloatVector.zero(F);
            for (int i = lane; i < whole; i += SUMS) {
                sum = sum.add(FloatVector.fromArray(F, x, i));
            }
            sum.intoArray(sums, lane);
        }
        for (int i = whole; i < count; i++) {
            sums[i - whole] += x[i];
        }
        return total(sums);
    }

    private static double total(float[] sums) {
        double total = 0;
        for (float sum : sums) {
            total += sum;
        }
        return total;
    }

    /// The smallest and the largest of some values; both NaN where one is.
    record Range(float min, float max) {}

    /// The range of `x[from, to)`, which is not empty.
    ///
    /// By integer instructions on bits that order as floats do, -0 below +0: those for floats would look for
    /// NaN each time.
    static Range range(float[] x, int from, int to) {
        IntVector mins = IntVector.broadcast(I, Integer.MAX_VALUE);
        IntVector maxs = IntVector.broadcast(I, Integer.MIN_VALUE);
        int i = from;
        for (; i <= to - LANES; i += LANES) {
            IntVector bits = FloatVector.fromArray(F, x, i).reinterpretAsInts();
            IntVector ordered = bits.lanewise(XOR, bits.lanewise(ASHR, 31).lanewise(LSHR, 1));
            mins = mins.min(ordered);
            maxs = maxs.max(ordered);
        }
        int min = mins.reduceLanes(MIN);
        int max = maxs.reduceLanes(MAX);
        for (; i < to; i++) {
            int ordered = ordered(Float.floatToRawIntBits(x[i]));
            min = Math.min(min, ordered);
            max = Math.max(max, ordered);
        }
        boolean number = max <= ordered(INFINITY) && min >= ordered(INFINITY | SIGN);
        return number
                ? new Range(Float.intBitsToFloat(ordered(min)), Float.intBitsToFloat(ordered(max)))
                : new Range(Float.NaN, Float.NaN);
    }

    /// Its own inverse.
    private static int ordered(int bits) {
        return bits ^ bits >> 31 >>> 1;
    }

    /// Values below `low` become `low`, those above `high` become `high`; NaN stays.
    static FloatVector clamp(FloatVector v, float low, float high) {
        return v.blend(low, v.compare(LT, low)).blend(high, v.compare(GT, high));
    }

    /// Reads as many bfloat16 values as fill a vector, from the value `first` on.
    static FloatVector bf16(MemorySegment from, long first) {
        ShortVector halves = ShortVector.fromMemorySegment(S, from, first * Short.BYTES, ByteOrder.nativeOrder());
        IntVector bits = (IntVector) halves.convertShape(ZERO_EXTEND_S2I, I, 0);
        return bits.lanewise(LSHL, 16).reinterpretAsFloats();
    }

    /// Writes values that are bfloat16 already: their lower halves are cut.
    static void storeBf16(FloatVector values, MemorySegment to, long first) {
        IntVector bits = values.reinterpretAsInts();
        ShortVector halves = (ShortVector) bits.lanewise(LSHR, 16).convertShape(I2S, S, 0);
        halves.intoMemorySegment(to, first * Short.BYTES, ByteOrder.nativeOrder());
    }

    /// Reads `count` values from the value `first` on.
    static void load(MemorySegment from, long first, float[] to, int count, DType type) {
        switch (type) {
            case F32 -> MemorySegment.copy(from, ValueLayout.JAVA_FLOAT_UNALIGNED, first * Float.BYTES, to, 0, count);
            case BF16 -> {
                int i = 0;
                for (; i <= count - LANES; i += LANES) {
                    bf16(from, first + i).intoArray(to, i);
                }
                for (; i < count; i++) {
                    to[i] = bf16At(from, first + i);
                }
            }
            case F16 -> {
                for (int i = 0; i < count; i++) {
                    to[i] = Float.float16ToFloat(half(from, first + i));
                }
            }
            default -> throw new IllegalArgumentException("no kernel for " + type);
        }
    }

    /// Writes `count` values; they are of that type already: nothing is rounded.
    static void store(float[] from, int count, MemorySegment to, long first, DType type) {
        switch (type) {
            case F32 -> MemorySegment.copy(from, 0, to, ValueLayout.JAVA_FLOAT_UNALIGNED, first * Float.BYTES, count);
            case BF16 -> {
                int i = 0;
                for (; i <= count - LANES; i += LANES) {
                    storeBf16(FloatVector.fromArray(F, from, i), to, first + i);
                }
                for (; i < count; i++) {
                    setBf16(to, first + i, from[i]);
                }
            }
            case F16 -> {
                for (int i = 0; i < count; i++) {
                    setHalf(to, first + i, Float.floatToFloat16(from[i]));
                }
            }
            default -> throw new IllegalArgumentException("no kernel for " + type);
        }
    }

    /// One value.
    static float bf16At(MemorySegment from, long index) {
        return Float.intBitsToFloat(half(from, index) << 16);
    }

    /// Writes one value that is bfloat16 already.
    static void setBf16(MemorySegment to, long index, float value) {
        setHalf(to, index, (short) (Float.floatToRawIntBits(value) >>> 16));
    }

    private static short half(MemorySegment segment, long index) {
        return segment.get(ValueLayout.JAVA_SHORT_UNALIGNED, index * Short.BYTES);
    }

    private static void setHalf(MemorySegment segment, long index, short value) {
        segment.set(ValueLayout.JAVA_SHORT_UNALIGNED, index * Short.BYTES, value);
    }
}
