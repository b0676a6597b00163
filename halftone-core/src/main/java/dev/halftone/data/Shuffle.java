package dev.halftone.data;

/// The order of samples in an epoch: a Fisher-Yates shuffle by SplitMix64 (Steele, Lea, Flood, "Fast splittable
/// pseudorandom number generators", OOPSLA 2014), spelled out so that it is the same on every platform for ever.
///
/// ```text
/// next(state):      state += 0x9E3779B97F4A7C15;  z = state
///                   z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9
///                   z = (z ^ (z >>> 27)) * 0x94D049BB133111EB
///                   return z ^ (z >>> 31)
/// state at start:   next(seed) + epoch
/// for i = n-1 … 1:  swap i with (next * (i + 1)) >> 64, the upper half of the unsigned product
/// ```
final class Shuffle {
    private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

    private Shuffle() {}

    /// A permutation of `0 … size-1`.
    static int[] order(int size, long seed, int epoch) {
        int[] order = identity(size);
        long state = mix(seed + GOLDEN_GAMMA) + epoch;
        for (int i = size - 1; i > 0; i--) {
            state += GOLDEN_GAMMA;
            int j = (int) Math.unsignedMultiplyHigh(mix(state), i + 1L);
            int swapped = order[i];
            order[i] = order[j];
            order[j] = swapped;
        }
        return order;
    }

    static int[] identity(int size) {
        int[] order = new int[size];
        for (int i = 0; i < size; i++) {
            order[i] = i;
        }
        return order;
    }

    private static long mix(long state) {
        long z = (state ^ (state >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
