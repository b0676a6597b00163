package dev.halftone.kernel;

import java.util.Objects;

/// A matrix whose rows are multiplied four at a time.
///
/// The four lie far apart. Processors fetch memory ahead of a loop that walks through it, but no further than to
/// the end of a page of 4 kB: a loop over one row after another waits at each page anew, twice as long in all as it
/// computes. Four walks at once wait together, and share what they load of `x`.
interface FourRows extends RowMatrix {
    int FOUR = 4;

    /// Floats that a product of four rows works in: at least the lanes of its sums.
    default int scratch() {
        return FOUR * RowVectors.LANES;
    }

    /// The products of four rows, which need not differ.
    ///
    /// @param lanes of the length of [#scratch]: receives the lanes of the four sums, [RowVectors#LANES] each
    void four(float[] x, int r0, int r1, int r2, int r3, float[] lanes);

    @Override
    default void multiply(float[] x, float[] y, int from, int to) {
        Objects.checkFromToIndex(from, to, rows());
        Objects.checkFromToIndex(0, columns(), x.length);
        float[] lanes = new float[scratch()];
        int apart = (to - from + FOUR - 1) / FOUR;
        for (int r0 = from; r0 < from + apart; r0++) {
            int r1 = Math.min(r0 + apart, to - 1);
            int r2 = Math.min(r0 + 2 * apart, to - 1);
            int r3 = Math.min(r0 + 3 * apart, to - 1);
            four(x, r0, r1, r2, r3, lanes);
            y[r0] = RowVectors.sum(lanes, 0);
            y[r1] = RowVectors.sum(lanes, 1);
            y[r2] = RowVectors.sum(lanes, 2);
            y[r3] = RowVectors.sum(lanes, 3);
        }
    }
}
