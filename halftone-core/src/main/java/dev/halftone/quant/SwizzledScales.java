package dev.halftone.quant;

/// The order of block scales that Blackwell's matrix units read (cuBLAS, "1D block scaling factors layout"; torchao's
/// `to_blocked`).
///
/// A matrix of one-byte scales is cut into tiles of 128 rows and 4 columns, the last ones padded with zeros, which
/// follow each other row by row. In a tile the scale of row `r` and column `c` has the place
/// `(r mod 32) · 16 + (r div 32) · 4 + c`.
public final class SwizzledScales {
    private static final int ROWS = 128;
    private static final int COLUMNS = 4;

    private SwizzledScales() {}

    /// Bytes that a matrix of scales takes in this order.
    public static int size(int rows, int columns) {
        return Math.multiplyExact(Math.ceilDiv(rows, ROWS) * ROWS, Math.ceilDiv(columns, COLUMNS) * COLUMNS);
    }

    /// @param scales `[rows, columns]` in row-major order
    public static byte[] swizzle(byte[] scales, int rows, int columns) {
        byte[] swizzled = new byte[size(rows, columns)];
        for (int i = 0; i < scales.length; i++) {
            swizzled[place(i / columns, i % columns, columns)] = scales[i];
        }
        return swizzled;
    }

    /// The inverse of [#swizzle].
    public static byte[] unswizzle(byte[] swizzled, int rows, int columns) {
        byte[] scales = new byte[Math.multiplyExact(rows, columns)];
        for (int i = 0; i < scales.length; i++) {
            scales[i] = swizzled[place(i / columns, i % columns, columns)];
        }
        return scales;
    }

    private static int place(int row, int column, int columns) {
        int tile = row / ROWS * Math.ceilDiv(columns, COLUMNS) + column / COLUMNS;
        int r = row % ROWS;
        return tile * ROWS * COLUMNS + r % 32 * 16 + r / 32 * 4 + column % COLUMNS;
    }
}
