package dev.halftone.quant;

import dev.halftone.InputException;

/// Which weights of a matrix `[N, K]` share one scale.
public sealed interface Granularity {
    /// Each run of `size` neighbours along the input features (K): `[N, K / size]` scales.
    record PerGroup(int size) implements Granularity {
        public PerGroup {
            if (size < 2) {
                throw new InputException(
                        "groupsize: %d is no group. Use 32, 64, 128, 256 or `channel`.".formatted(size));
            }
        }

        @Override
        public String toString() {
            return Integer.toString(size);
        }
    }

    /// Each output row: `[N, 1]` scales. Also called per channel.
    record PerAxis() implements Granularity {
        @Override
        public String toString() {
            return "channel";
        }
    }

    /// Reads what `toString` writes: a group size, or `channel`.
    ///
    /// @throws InputException if it is neither
    static Granularity parse(String text) {
        if (text.equals("channel")) {
            return new PerAxis();
        }
        if (!text.matches("\\d{1,9}")) {
            throw new InputException(
                    "groupsize: '%s' is no group size. Use 32, 64, 128, 256 or `channel`.".formatted(text));
        }
        return new PerGroup(Integer.parseInt(text));
    }

    /// Weights that share a scale in a row of `columns`.
    default int groupSize(long columns) {
        return switch (this) {
            case PerGroup(int size) -> size;
            case PerAxis() -> Math.toIntExact(columns);
        };
    }
}
