package dev.halftone.quant;

import dev.halftone.InputException;
import java.util.Arrays;

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

    /// All weights: one scale, of the shape `[1, 1]`.
    record PerTensor() implements Granularity {
        @Override
        public String toString() {
            return "tensor";
        }
    }

    /// In the names of schemes: `g32`, `channel`, `tensor`.
    default String label() {
        return this instanceof PerGroup ? "g" + this : toString();
    }

    /// Reads what `toString` writes of the first two: a group size, or `channel`.
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
            case PerAxis(), PerTensor() -> Math.toIntExact(columns);
        };
    }

    /// The shape of the scales of a tensor of this shape, which consists of whole blocks.
    default long[] scaleShape(long... shape) {
        long[] scales = shape.clone();
        if (this instanceof PerTensor) {
            Arrays.fill(scales, 1);
        } else {
            scales[scales.length - 1] /= groupSize(shape[shape.length - 1]);
        }
        return scales;
    }
}
