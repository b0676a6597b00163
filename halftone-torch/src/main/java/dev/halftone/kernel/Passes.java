package dev.halftone.kernel;

/// Where the gradients of a tensor's values pass: a bit a value, whole words a block.
///
/// Where blocks are dense ([#dense]) their bits follow each other, and the values of many blocks can be counted from
/// the first of them.
final class Passes {
    private final int[] words;
    private final int perBlock;

    /// @param group values in a block
    Passes(int blocks, int group) {
        perBlock = Math.ceilDiv(group, Integer.SIZE);
        words = new int[Math.multiplyExact(blocks, perBlock)];
    }

    /// Whether blocks of that many values fill whole words, and so whole vectors.
    static boolean dense(int group) {
        return group % Integer.SIZE == 0;
    }

    /// Notes as many values as fill a vector, in ascending order: the first bits of a word replace what stood there.
    ///
    /// @param i the first of them, counted from the block's first value
    /// @param bits of a mask; a mask that is handed over may become an object
    void set(int block, int i, int bits) {
        int at = block * perBlock + i / Integer.SIZE;
        int shift = i % Integer.SIZE;
        words[at] = shift == 0 ? bits : words[at] | bits << shift;
    }

    /// Notes one value, in ascending order.
    void set(int block, int i, boolean passes) {
        set(block, i, passes ? 1 : 0);
    }

    boolean get(int block, int i) {
        return (bits(block, i) & 1) != 0;
    }

    /// The bits of as many values as fill a vector, from `i` on, in the lowest places.
    int bits(int block, int i) {
        return words[block * perBlock + i / Integer.SIZE] >>> i;
    }
}
