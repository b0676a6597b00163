package dev.halftone.quant;

/// How runtimes store matrices of int4 codes. Codes come and go one a byte, in row-major order.
public final class Int4Layouts {
    private static final int TILE_ROWS = 8;
    private static final int TILE_COLUMNS = 16;
    private static final int LANES = 32;
    /// Columns of a word's eight codes, from the low nibble up, seen from its first one.
    private static final int[] TILE_ORDER = {0, 8, 16, 24, 1, 9, 17, 25};

    private Int4Layouts() {}

    /// Neighbours in a row share a byte: `qdata` of torchao's `Int4Tensor`, of FBGEMM's `pack_int4`.
    ///
    /// ```text
    /// codes   c0 c1 c2 c3 …            K a row, K even
    /// bytes   c1<<4|c0  c3<<4|c2 …     K/2 a row
    /// ```
    ///
    /// @param codes signed or unsigned; the low four bits are kept
    public static byte[] packPlain(byte[] codes) {
        byte[] packed = new byte[codes.length / 2];
        for (int i = 0; i < packed.length; i++) {
            packed[i] = pair(codes[2 * i], codes[2 * i + 1]);
        }
        return packed;
    }

    /// The codes of [#packPlain], -8 to 7.
    public static byte[] unpackPlain(byte[] packed) {
        byte[] codes = new byte[packed.length * 2];
        for (int i = 0; i < packed.length; i++) {
            codes[2 * i] = (byte) ((byte) (packed[i] << 4) >> 4);
            codes[2 * i + 1] = (byte) (packed[i] >> 4);
        }
        return codes;
    }

    /// Neighbours in a column share a byte: aten's `_convert_weight_to_int4pack_for_cpu` for blocks of rows
    /// that are smaller than its vector kernels want, 64 with AVX-512 and 32 else. For those the layout is
    /// the machine's own.
    ///
    /// ```text
    /// codes   row 0   a0 a1 a2 …       bytes   b0<<4|a0  d0<<4|c0 …      N/2, of column 0
    ///         row 1   b0 b1 b2 …               b1<<4|a1  d1<<4|c1 …      N/2, of column 1
    ///         row 2   c0 c1 c2 …               …
    ///         row 3   d0 d1 d2 …
    /// ```
    ///
    /// @param codes 0 to 15, `[N, K]` with N even
    /// @param columns K
    /// @return K·N/2 bytes, which aten calls `[N, K/2]`
    public static byte[] packRowPairs(byte[] codes, int columns) {
        byte[] packed = new byte[codes.length / 2];
        int pairs = codes.length / columns / 2;
        for (int column = 0, i = 0; column < columns; column++) {
            for (int pair = 0; pair < pairs; pair++, i++) {
                int top = 2 * pair * columns + column;
                packed[i] = pair(codes[top], codes[top + columns]);
            }
        }
        return packed;
    }

    /// Tiles of 8 rows and 16 columns as the threads of a GPU's warp load them: aten's
    /// `_convert_weight_to_int4pack`, for tinygemm on CUDA, and `qdata` of torchao's
    /// `Int4TilePackedTo4dTensor`.
    ///
    /// ```text
    /// word [N/8][K/(16·inner)][32 lanes][inner/2]      lane holds row lane/4 of the tile; two column tiles a word
    ///
    ///         column tile 2j                            column tile 2j+1
    ///         k k+1 . . . . . . k+8 k+9 . . . . . .     k+16 k+17 . . . . . . k+24 k+25 . . . . . .
    ///         |  |               |   |                   |    |                |    |
    /// nibble  0  4               1   5                   2    6                3    7           k = 2·(lane % 4)
    /// ```
    ///
    /// @param codes 0 to 15, `[N, K]` with N a multiple of 8 and K of 16·inner
    /// @param columns K
    /// @param inner column tiles that a lane's words hold: 2, 4 or 8
    public static int[] packTiles(byte[] codes, int columns, int inner) {
        int[] packed = new int[codes.length / TILE_ORDER.length];
        for (int i = 0; i < packed.length; i++) {
            int first = firstOfWord(i, columns, inner);
            for (int nibble = 0; nibble < TILE_ORDER.length; nibble++) {
                packed[i] |= (codes[first + TILE_ORDER[nibble]] & 0xf) << (4 * nibble);
            }
        }
        return packed;
    }

    /// The codes of [#packTiles], 0 to 15.
    public static byte[] unpackTiles(int[] packed, int columns, int inner) {
        byte[] codes = new byte[packed.length * TILE_ORDER.length];
        for (int i = 0; i < packed.length; i++) {
            int first = firstOfWord(i, columns, inner);
            for (int nibble = 0; nibble < TILE_ORDER.length; nibble++) {
                codes[first + TILE_ORDER[nibble]] = (byte) (packed[i] >>> (4 * nibble) & 0xf);
            }
        }
        return codes;
    }

    /// Index of the code in a word's lowest nibble.
    private static int firstOfWord(int word, int columns, int inner) {
        int words = inner / 2;
        int lane = word / words % LANES;
        int tile = word / words / LANES;
        int tilesInRow = columns / (TILE_COLUMNS * inner);
        int row = tile / tilesInRow * TILE_ROWS + lane / 4;
        int columnTile = tile % tilesInRow * inner + 2 * (word % words);
        return row * columns + columnTile * TILE_COLUMNS + 2 * (lane % 4);
    }

    private static byte pair(byte low, byte high) {
        return (byte) (low & 0xf | high << 4);
    }
}
