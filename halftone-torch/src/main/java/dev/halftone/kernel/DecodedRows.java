package dev.halftone.kernel;

import dev.halftone.format.gguf.GgmlType;
import java.lang.foreign.MemorySegment;

/// Rows of a GGUF file's blocks of any type that can be read: each row is decoded into an array, and multiplied there.
record DecodedRows(GgmlType type, MemorySegment w, int rows, int columns) implements RowMatrix {
    @Override
    public void multiply(float[] x, float[] y, int from, int to) {
        long rowBytes = (long) columns / type.blockSize() * type.blockBytes();
        float[] row = new float[columns];
        for (int r = from; r < to; r++) {
            type.dequantize(w, r * rowBytes, row);
            y[r] = RowVectors.dot(row, 0, x, 0, columns);
        }
    }
}
