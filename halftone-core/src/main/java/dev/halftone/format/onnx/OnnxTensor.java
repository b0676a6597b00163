package dev.halftone.format.onnx;

import dev.halftone.DType;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A constant of a model.
///
/// @param shape sizes, outermost first; none for a scalar
/// @param inline its bytes, little endian; null where they are in the file of weights
/// @param offset in bytes in the file of weights
record OnnxTensor(
        String name, DType dtype, long[] shape, @Nullable ByteBuffer inline, long offset) {
    /// The file of weights, beside the model.
    static final String DATA = "model.onnx.data";

    private static final int EXTERNAL = 1;

    long bytes() {
        return Arrays.stream(shape).reduce(dtype.bytes(), Math::multiplyExact);
    }

    /// A `TensorProto`.
    MessageWriter message() {
        MessageWriter out =
                new MessageWriter().wholes(1, shape).whole(2, number(dtype)).text(8, name);
        if (inline != null) {
            byte[] raw = new byte[inline.remaining()];
            inline.duplicate().get(raw);
            return out.bytes(9, raw);
        }
        return out.message(13, entry("location", DATA))
                .message(13, entry("offset", Long.toString(offset)))
                .message(13, entry("length", Long.toString(bytes())))
                .whole(14, EXTERNAL);
    }

    private static MessageWriter entry(String key, String value) {
        return new MessageWriter().text(1, key).text(2, value);
    }

    static OnnxTensor of(Message tensor) {
        Map<String, String> external = new HashMap<>();
        tensor.messages(13).forEach(e -> external.put(e.text(1), e.text(2)));
        OnnxTensor read = new OnnxTensor(
                tensor.text(8),
                dtype(tensor.whole(2)),
                tensor.wholes(1),
                external.isEmpty() ? tensor.bytes(9).getFirst() : null,
                Long.parseLong(external.getOrDefault("offset", "0")));
        boolean fits = read.inline == null
                ? external.getOrDefault("location", "").equals(DATA)
                        && external.getOrDefault("length", "").equals(Long.toString(read.bytes()))
                : read.inline.remaining() == read.bytes();
        if (!fits) {
            throw new IllegalArgumentException("the tensor '%s' has other bytes than its shape".formatted(read.name));
        }
        return read;
    }

    /// `TensorProto.DataType`.
    static int number(DType dtype) {
        return switch (dtype) {
            case F32 -> 1;
            case U8 -> 2;
            case I8 -> 3;
            case I64 -> 7;
            case BOOL -> 9;
            case BF16 -> 16;
            default -> throw new IllegalArgumentException("no tensor of Halftone's models is " + dtype);
        };
    }

    private static DType dtype(long number) {
        return Arrays.stream(new DType[] {DType.F32, DType.U8, DType.I8, DType.I64, DType.BF16})
                .filter(d -> number(d) == number)
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no tensor of Halftone's has the type " + number));
    }
}
