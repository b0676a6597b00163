package dev.halftone.nn;

/// A module as it runs over the row of one new token, in plain arrays and in float32.
///
/// An operator of libtorch costs some microseconds to call, and a token of a small model needs a thousand of them: as
/// much time as its products take. A stage does what the module's `forward` does, rounding aside, with what it found in
/// the module when it was made: the module may neither be changed nor closed while stages of it are in use.
@FunctionalInterface
public interface RowStage {
    /// @param x the module's input, which stays as it is
    /// @param cache keys and values of the tokens before; the new token's position is its length
    /// @return the module's output
    float[] run(float[] x, KvCache cache);
}
