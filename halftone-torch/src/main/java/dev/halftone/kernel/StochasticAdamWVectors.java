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
    private static final IntVector MIX_1 = IntVector.broadcast(Tiles.I, StochasticAdamW.MIX_1);
    private static final IntVector MIX_2 = IntVector.broadcast(Tiles.I, StochasticAdamW.MIX_2);
    /// Elements whose 32 KB stay in the first-level cache.
    private static final int TILE = 2048;

    private StochasticAdamWVectors() {}

    static void update(MemorySegment p, MemorySegment g, MemorySegment m, MemorySegment v, Coefficients c, long key) {
        long n = p.byteSize() / 2;
        long whole = n - n % Tiles.LANES;
        Parallel.run(Math.toIntExact((whole + TILE - 1) / TILE), TILE, (first, last) -> {
            float[] means = new float[TILE];
            float[] squares = new float[TILE];
            int[] random = new int[TILE];
            for (int tile = first; tile < last; tile++) {
                long from = (long) tile * TILE;
                long end = Math.min(whole, from + TILE);
                means(m, g, means, c, from, end);
                squares(v, g, squares, c, from, end);
                random(random, key, from, end);
                weights(p, means, squares, random, c, from, end);
                stored(v, squares, random, from, end);
            }
        });
        StochasticAdamW.scalar(p, g, m, v, c, key, whole, n);
    }

    // Five loops over a tile, with their constants before them: C2 makes objects of the vectors of one loop that does
    // it all.

    private static void means(MemorySegment m, MemorySegment g, float[] means, Coefficients c, long from, long end) {
        FloatVector share = FloatVector.broadcast(Tiles.F, c.meanShare());
        for (long i = from; i < end; i += Tiles.LANES) {
            FloatVector mean = Tiles.bf16(m, i);
            mean = mean.add(Tiles.bf16(g, i).sub(mean).mul(share));
            mean.intoArray(means, (int) (i - from));
            Tiles.storeBf16(Tiles.round(mean, DType.BF16), m, i);
        }
    }

    private static void squares(
            MemorySegment v, MemorySegment g, float[] squares, Coefficients c, long from, long end) {
        FloatVector decay = FloatVector.broadcast(Tiles.F, c.squareDecay());
        FloatVector share = FloatVector.broadcast(Tiles.F, c.squareShare());
        for (long i = from; i < end; i += Tiles.LANES) {
            FloatVector gradient = Tiles.bf16(g, i);
            Tiles.bf16(v, i).mul(decay).add(gradient.mul(gradient).mul(share)).intoArray(squares, (int) (i - from));
        }
    }

    private static void random(int[] random, long key, long from, long end) {
        IntVector low = IntVector.broadcast(Tiles.I, (int) key);
        IntVector high = IntVector.broadcast(Tiles.I, (int) (key >>> 32));
        IntVector spread = IntVector.broadcast(Tiles.I, StochasticAdamW.SPREAD);
        for (long i = from; i < end; i += Tiles.LANES) {
            IntVector index = LANES.add(IntVector.broadcast(Tiles.I, (int) i));
            IntVector once = mix(index.mul(spread).add(low));
            mix(once.lanewise(XOR, high)).intoArray(random, (int) (i - from));
        }
    }

    private static IntVector mix(IntVector value) {
        IntVector x = value.lanewise(XOR, value.lanewise(LSHR, 16)).mul(MIX_1);
        x = x.lanewise(XOR, x.lanewise(LSHR, 15)).mul(MIX_2);
        return x.lanewise(XOR, x.lanewise(LSHR, 16));
    }

    /// The upper halves of the random numbers are for the weights.
    private static void weights(
            MemorySegment p, float[] means, float[] squares, int[] random, Coefficients c, long from, long end) {
        FloatVector decay = FloatVector.broadcast(Tiles.F, c.decay());
        FloatVector root = FloatVector.broadcast(Tiles.F, c.root());
        FloatVector eps = FloatVector.broadcast(Tiles.F, c.eps());
        FloatVector rate = FloatVector.broadcast(Tiles.F, c.rate());
        for (long i = from; i < end; i += Tiles.LANES) {
            int at = (int) (i - from);
            FloatVector divisor =
                    FloatVector.fromArray(Tiles.F, squares, at).sqrt().mul(root).add(eps);
            FloatVector way =
                    FloatVector.fromArray(Tiles.F, means, at).div(divisor).mul(rate);
            IntVector bits = Tiles.bf16(p, i).mul(decay).sub(way).reinterpretAsInts();
            IntVector part = IntVector.fromArray(Tiles.I, random, at).lanewise(LSHR, 16);
            Tiles.storeBf16(bits.add(part).reinterpretAsFloats(), p, i);
        }
    }

    private static void stored(MemorySegment v, float[] squares, int[] random, long from, long end) {
        IntVector lower = IntVector.broadcast(Tiles.I, 0xffff);
        for (long i = from; i < end; i += Tiles.LANES) {
            int at = (int) (i - from);
            IntVector bits = FloatVector.fromArray(Tiles.F, squares, at).reinterpretAsInts();
            IntVector part = IntVector.fromArray(Tiles.I, random, at).and(lower);
            Tiles.storeBf16(bits.add(part).reinterpretAsFloats(), v, i);
        }
    }
}
