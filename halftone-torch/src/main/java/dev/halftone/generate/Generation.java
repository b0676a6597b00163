package dev.halftone.generate;

/// What a generation gave.
///
/// @param tokens the new tokens, without the one that ended it
/// @param ended whether the model ended it, rather than a limit
/// @param promptSeconds from the start to the first token
/// @param decodeSeconds from the first token to the end
@SuppressWarnings("ArrayRecordComponent")
public record Generation(int[] tokens, boolean ended, double promptSeconds, double decodeSeconds) {
    /// Speed after the first token; 0 where no token followed it.
    public double tokensPerSecond() {
        int steps = tokens.length - (ended ? 0 : 1);
        return steps > 0 ? steps / decodeSeconds : 0;
    }
}
