package dev.halftone.format.gguf;

import java.util.Arrays;
import java.util.Optional;

/// What a GGUF file says of a tensor.
///
/// @param shape sizes, outermost first as in torch (files have them the other way round)
/// @param typeId the number of the element type, also where that type is unknown here
/// @param begin first byte, counted from the start of the tensor data
/// @param end byte after the last; equal to `begin` where the type is unknown
public record GgufTensor(String name, long[] shape, int typeId, long begin, long end) {
    public Optional<GgmlType> type() {
        return GgmlType.of(typeId);
    }

    /// The type's name, or its number where it is unknown.
    public String typeName() {
        return type().map(GgmlType::name).orElse("type " + typeId);
    }

    /// Number of weights.
    public long elements() {
        return Arrays.stream(shape).reduce(1, (a, b) -> a * b);
    }

    /// Size in bytes, 0 where the type is unknown.
    public long bytes() {
        return end - begin;
    }
}
