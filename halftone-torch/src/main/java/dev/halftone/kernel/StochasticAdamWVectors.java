package dev.halftone.kernel;

import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.XOR;

import dev.halftone.DType;
import dev.halftone.kernel.StochasticAdamW.Coefficients;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/// The formulas of [StochasticAdamW] in vectors, over the memory of the four tensors. Each element is computed
/// by itself, so the bits are the same for every vector width and number of threads.
final class StochasticAdamWVectors {
    private static final IntVector LANES = IntVector.zero(Tiles.I).addIndex(1);
    /// Elements that stay on one thread.
    private static final int CHUNK = 1 << 15;

    private StochasticAdamWVectors() {}

    static void update(MemorySegment p, MemorySegment g, MemorySegment m, MemorySegment v, Coefficients c, long key) {
        long n = p.byteSize() / 2;
        Parallel.run(Math.toIntExact((n + CHUNK - 1) / CHUNK), CHUNK, (first, last) -> {
            long end = Math.min(n, (long) last * CHUNK);
            long i = (long) first * CHUNK;
            for (; i + Tiles.LANES <= end; i += Tiles.LANES) {
                update(p, g, m, v, c, key, i);
            }
            StochasticAdamW.scalar(p, g, m, v, c, key, i, end);
        });
    }

    private static void update(
            MemorySegment p, MemorySegment g, MemorySegment m, MemorySegment v, Coefficients c, long key, long i) {
        FloatVector gradient = Tiles.bf16(g, i);
        FloatVector mean = Tiles.bf16(m, i);
        mean = mean.add(gradient.sub(mean).mul(c.meanShare()));
        FloatVector square =
                Tiles.bf16(v, i).mul(c.squareDecay()).add(gradient.mul(gradient).mul(c.squareShare()));
        FloatVector weight = Tiles.bf16(p, i).mul(c.decay());
        weight = weight.sub(mean.div(square.sqrt().mul(c.root()).add(c.eps())).mul(c.rate()));
        IntVector random = LANES.add((int) i).mul(StochasticAdamW.SPREAD).add((int) key);
        random = mix(mix(random).lanewise(XOR, (int) (key >>> 32)));
        Tiles.storeBf16(
                weight.reinterpretAsInts().add(random.lanewise(LSHR, 16)).reinterpretAsFloats(), p, i);
        Tiles.storeBf16(square.reinterpretAsInts().add(random.and(0xffff)).reinterpretAsFloats(), v, i);
        Tiles.storeBf16(Tiles.round(mean, DType.BF16), m, i);
    }

    private static IntVector mix(IntVector value) {
        IntVector x = value.lanewise(XOR, value.lanewise(LSHR, 16)).mul(StochasticAdamW.MIX_1);
        x = x.lanewise(XOR, x.lanewise(LSHR, 15)).mul(StochasticAdamW.MIX_2);
        return x.lanewise(XOR, x.lanewise(LSHR, 16));
    }
}
