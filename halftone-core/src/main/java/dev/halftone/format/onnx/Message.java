package dev.halftone.format.onnx;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/// A protobuf message that was read. Fields that nobody asks for are skipped, whatever they are.
///
/// @param fields in the file's order
record Message(List<Field> fields) {
    private static final int FIXED64 = 1;
    private static final int FIXED32 = 5;

    /// @param whole value of a varint
    /// @param bytes value of a field with a length; empty else
    record Field(int number, long whole, ByteBuffer bytes) {}

    /// @throws BufferUnderflowException if it ends too early
    /// @throws IllegalArgumentException if it is no message
    static Message parse(ByteBuffer bytes) {
        ByteBuffer in = bytes.duplicate();
        List<Field> fields = new ArrayList<>();
        ByteBuffer none = ByteBuffer.allocate(0);
        while (in.hasRemaining()) {
            long tag = varint(in);
            int number = (int) (tag >>> 3);
            switch ((int) (tag & 7)) {
                case MessageWriter.VARINT -> fields.add(new Field(number, varint(in), none));
                case MessageWriter.LENGTH -> {
                    long length = varint(in);
                    if (length < 0 || length > in.remaining()) {
                        throw new BufferUnderflowException();
                    }
                    fields.add(new Field(number, 0, in.slice(in.position(), (int) length)));
                    in.position(in.position() + (int) length);
                }
                case FIXED64 -> in.getLong();
                case FIXED32 -> in.getInt();
                default -> throw new IllegalArgumentException("no field has the tag " + tag);
            }
        }
        return new Message(fields);
    }

    /// 0 where the field is absent, as protobuf has it.
    long whole(int number) {
        return fields.stream()
                .filter(f -> f.number == number)
                .mapToLong(Field::whole)
                .reduce(0, (_, last) -> last);
    }

    long[] wholes(int number) {
        return fields.stream()
                .filter(f -> f.number == number)
                .mapToLong(Field::whole)
                .toArray();
    }

    /// Empty where the field is absent.
    String text(int number) {
        return texts(number).stream().reduce("", (_, last) -> last);
    }

    List<String> texts(int number) {
        return all(number)
                .map(b -> StandardCharsets.UTF_8.decode(b.duplicate()).toString())
                .toList();
    }

    List<ByteBuffer> bytes(int number) {
        return all(number).toList();
    }

    List<Message> messages(int number) {
        return all(number).map(Message::parse).toList();
    }

    private java.util.stream.Stream<ByteBuffer> all(int number) {
        return fields.stream().filter(f -> f.number == number).map(Field::bytes);
    }

    private static long varint(ByteBuffer in) {
        long value = 0;
        for (int shift = 0; shift < Long.SIZE; shift += 7) {
            byte b = in.get();
            value |= (long) (b & 0x7F) << shift;
            if (b >= 0) {
                return value;
            }
        }
        throw new IllegalArgumentException("a number of more than 64 bits");
    }
}
