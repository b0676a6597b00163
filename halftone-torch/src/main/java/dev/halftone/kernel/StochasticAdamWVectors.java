package dev.halftone.kernel;

import static jdk.incubator.vector.VectorOperators.I2S;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.XOR;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_S2I;

import dev.halftone.kernel.StochasticAdamW.Coefficients;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// The formulas of [StochasticAdamW] in vectors, over the memory of the four tensors. Each element is computed
/// by itself, so the bits are the same for every vector width and number of threads.
final class StochasticAdamWVectors {
    private static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Integer> I = IntVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Short> S =
            VectorSpecies.of(short.class, VectorShape.forBitSize(F.vectorBitSize() / 2));
    private static final IntVector LANES = IntVector.zero(I).addIndex(1);
    /// Elements that stay on one thread.
    private static final int CHUNK = 1 << 15;

    private StochasticAdamWVectors() {}

    static void update(MemorySegment p, MemorySegment g, MemorySegment m, MemorySegment v, Coefficients c, long key) {
        long n = p.byteSize() / 2;
        Parallel.run(Math.toIntExact((n + CHUNK - 1) / CHUNK), CHUNK, (first, last) -> {
            long end = Math.min(n, (long) last * CHUNK);
            long i = (long) first * CHUNK;
            for (; i + F.length() <= end; i += F.length()) {
                update(p, g, m, v, c, key, i);
            }
            StochasticAdamW.scalar(p, g, m, v, c, key, i, end);
        });
    }

    private static void update(
            MemorySegment p, MemorySegment g, MemorySegment m, MemorySegment v, Coefficients c, long key, long i) {
        FloatVector gradient = load(g, i);
        FloatVector mean = load(m, i);
        mean = mean.add(gradient.sub(mean).mul(c.meanShare()));
        FloatVector square =
                load(v, i).mul(c.squareDecay()).add(gradient.mul(gradient).mul(c.squareShare()));
        FloatVector weight = load(p, i).mul(c.decay());
        weight = weight.sub(mean.div(square.sqrt().mul(c.root()).add(c.eps())).mul(c.rate()));
        IntVector random = LANES.add((int) i).mul(StochasticAdamW.SPREAD).add((int) key);
        random = mix(mix(random).lanewise(XOR, (int) (key >>> 32)));
        store(p, i, weight.reinterpretAsInts().add(random.lanewise(LSHR, 16)));
        store(v, i, square.reinterpretAsInts().add(random.and(0xffff)));
        IntVector bits = mean.reinterpretAsInts();
        store(m, i, bits.add(bits.lanewise(LSHR, 16).and(1)).add(0x7fff));
    }

    private static FloatVector load(MemorySegment t, long i) {
        ShortVector s = ShortVector.fromMemorySegment(S, t, i * 2, ByteOrder.LITTLE_ENDIAN);
        return ((IntVector) s.convertShape(ZERO_EXTEND_S2I, I, 0))
                .lanewise(LSHL, 16)
                .reinterpretAsFloats();
    }

    /// Stores the upper halves.
    private static void store(MemorySegment t, long i, IntVector bits) {
        ((ShortVector) bits.lanewise(LSHR, 16).convertShape(I2S, S, 0))
                .intoMemorySegment(t, i * 2, ByteOrder.LITTLE_ENDIAN);
    }

    private static IntVector mix(IntVector value) {
        IntVector x = value.lanewise(XOR, value.lanewise(LSHR, 16)).mul(StochasticAdamW.MIX_1);
        x = x.lanewise(XOR, x.lanewise(LSHR, 15)).mul(StochasticAdamW.MIX_2);
        return x.lanewise(XOR, x.lanewise(LSHR, 16));
    }
}
