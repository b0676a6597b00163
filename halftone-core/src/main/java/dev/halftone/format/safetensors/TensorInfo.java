package dev.halftone.format.safetensors;

import dev.halftone.DType;
import java.util.Arrays;

/// What a header says of a tensor.
///
/// @param shape sizes, outermost first; empty for a scalar
/// @param begin first byte, counted from the end of the header
/// @param end byte after the last
public record TensorInfo(String name, DType dtype, long[] shape, long begin, long end) {
    /// Number of elements.
    public long elements() {
        return bytes() / dtype.bytes();
    }

    /// Size in bytes.
    public long bytes() {
        return end - begin;
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof TensorInfo t
                && name.equals(t.name)
                && dtype == t.dtype
                && Arrays.equals(shape, t.shape)
                && begin == t.begin
                && end == t.end;
    }

    @Override
    public int hashCode() {
        return 31 * name.hashCode() + Arrays.hashCode(shape);
    }

    @Override
    public String toString() {
        return "%s %s%s at %d..%d".formatted(name, dtype, Arrays.toString(shape), begin, end);
    }
}
