package dev.halftone.quant;

import java.util.Arrays;

/// Sums in an order that a loop, vectors of any width and tensor operators can all follow, so that their
/// float32 sums are the same bits: the second half is added to the first, value by value, until one value is
/// left. Where their number is odd, the middle one waits.
///
/// ```text
/// a b c d e   ->   a+d b+e c   ->   (a+d)+c b+e   ->   ((a+d)+c)+(b+e)
/// ```
///
/// The error grows with the logarithm of the number of values.
public final class HalvingSum {
    private HalvingSum() {}

    /// The sum of `v[from, to)`, which holds at least one value.
    public static float of(float[] v, int from, int to) {
        float[] sums = Arrays.copyOfRange(v, from, to);
        for (int n = sums.length; n > 1; ) {
            int half = (n + 1) / 2;
            for (int i = 0; i < n - half; i++) {
                sums[i] += sums[i + half];
            }
            n = half;
        }
        return sums[0];
    }
}
