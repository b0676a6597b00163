package dev.halftone.config.schema;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.quant.Granularity;
import org.jspecify.annotations.Nullable;

/// What several records demand of their keys.
final class Check {
    private Check() {}

    /// @param value null passes
    static void atLeast(String key, @Nullable Number value, double minimum) {
        if (value != null && !(value.doubleValue() >= minimum)) {
            throw new InputException("%s: %s is too small. Use %s or more."
                    .formatted(key, value, minimum == Math.rint(minimum) ? (Object) (long) minimum : minimum));
        }
    }

    /// @param value null passes
    static void above(String key, @Nullable Number value, double bound) {
        if (value != null && !(value.doubleValue() > bound)) {
            throw new InputException("%s: %s is too small. Use more than %s.".formatted(key, value, (long) bound));
        }
    }

    static void atMost(String key, double value, int maximum) {
        if (!(value <= maximum)) {
            throw new InputException("%s: %s is too large. Use %d or less.".formatted(key, value, maximum));
        }
    }

    static void groups(Granularity groupsize) {
        if (groupsize instanceof Granularity.PerAxis) {
            throw new InputException("groupsize: this quantizer has groups only. Use a number.");
        }
    }

    /// The types that models compute in.
    static void dtype(String key, DType dtype) {
        switch (dtype) {
            case BF16, F32 -> {}
            case F16 ->
                throw new InputException(
                        "%s: fp16 is not supported, its range is too small to train in. Use bf16 or fp32."
                                .formatted(key));
            default ->
                throw new InputException(
                        "%s: %s is no type to compute in. Use bf16 or fp32.".formatted(key, dtype.torchName()));
        }
    }
}
