package dev.halftone.kernel;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/// What kernels over a single row have in common: sums in eight lanes, whatever the width of the vectors.
///
/// A vector of eight floats is one step; machines with vectors of four do each loop twice, for the lower and for the
/// upper lanes; wider ones use eight lanes of them. Element `i` is added in lane `i mod 8`.
///
/// The loops of [FloatRows], [CodeRows], [BlockRows] and [FiveBitRows] are alike and written out, one for each way to
/// load a vector and each of four rows: a method that is passed in, or is not inlined for another reason, makes an
/// object of every vector that it gives, and the compiler stops inlining methods of ours, not the JDK's, after 8000
/// bytes of bytecode.
final class RowVectors {
    /// Lanes that a sum has on every machine.
    static final int LANES = 8;

    static final VectorSpecies<Float> F =
            FloatVector.SPECIES_PREFERRED.length() < LANES ? FloatVector.SPECIES_128 : FloatVector.SPECIES_256;
    static final VectorSpecies<Integer> I = F.length() == LANES ? IntVector.SPECIES_256 : IntVector.SPECIES_128;

    /// Lanes in a vector, and vectors in a step.
    static final int WIDTH = F.length();

    static final int PARTS = LANES / WIDTH;

    /// All memory, by address. A constant, since of a variable the compiler knows only what all code that reads
    /// segments has met: as soon as some were of files or arrays, it asks at each load which class this one has,
    /// and a loop takes half as long again.
    static final MemorySegment MEMORY = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    private RowVectors() {}

    /// The address of a matrix, which [#MEMORY] reads without looking at its bounds.
    ///
    /// @throws IllegalArgumentException if it is not as large, or not outside the JVM's heap
    static long address(MemorySegment w, long bytes) {
        if (!w.isNative() || w.byteSize() < bytes) {
            throw new IllegalArgumentException("no matrix of %d bytes: %s".formatted(bytes, w));
        }
        return w.address();
    }

    /// The sum of the `i`th eight lanes.
    static float sum(float[] lanes, int i) {
        int o = i * LANES;
        return ((lanes[o] + lanes[o + 4]) + (lanes[o + 2] + lanes[o + 6]))
                + ((lanes[o + 1] + lanes[o + 5]) + (lanes[o + 3] + lanes[o + 7]));
    }

    /// `Σ a[i] · b[i]` for `i < n`, from these indices on.
    static float dot(float[] a, int aFrom, float[] b, int bFrom, int n) {
        float[] lanes = new float[LANES];
        int whole = n - n % LANES;
        for (int p = 0; p < PARTS; p++) {
            FloatVector sum = FloatVector.zero(F);
            for (int i = p * WIDTH; i < whole; i += LANES) {
                sum = FloatVector.fromArray(F, a, aFrom + i).fma(FloatVector.fromArray(F, b, bFrom + i), sum);
            }
            sum.intoArray(lanes, p * WIDTH);
        }
        for (int i = whole; i < n; i++) {
            lanes[i % LANES] = Math.fma(a[aFrom + i], b[bFrom + i], lanes[i % LANES]);
        }
        return sum(lanes, 0);
    }

    /// The sum of each group of `x`.
    static float[] sums(float[] x, int group) {
        float[] sums = new float[x.length / group];
        float[] lanes = new float[LANES];
        int whole = group - group % LANES;
        for (int g = 0; g < sums.length; g++) {
            for (int p = 0; p < PARTS; p++) {
                FloatVector sum = FloatVector.zero(F);
                for (int i = p * WIDTH; i < whole; i += LANES) {
                    sum = sum.add(FloatVector.fromArray(F, x, g * group + i));
                }
                sum.intoArray(lanes, p * WIDTH);
            }
            for (int i = whole; i < group; i++) {
                lanes[i % LANES] += x[g * group + i];
            }
            sums[g] = sum(lanes, 0);
        }
        return sums;
    }

    /// `x[i] = e^(x[i] - shift)` for `i < n`.
    static void exp(float[] x, float shift, int n) {
        int i = 0;
        for (; i <= n - WIDTH; i += WIDTH) {
            Exponential.of(FloatVector.fromArray(F, x, i).sub(shift)).intoArray(x, i);
        }
        for (; i < n; i++) {
            x[i] = Exponential.of(x[i] - shift);
        }
    }
}
