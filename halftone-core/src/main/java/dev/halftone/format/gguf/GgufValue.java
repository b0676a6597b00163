package dev.halftone.format.gguf;

import java.util.List;

/// A value of a GGUF file's metadata.
public sealed interface GgufValue {
    /// The types that the format has, in the order of their numbers.
    enum Type {
        UINT8(0, 1),
        INT8(1, 1),
        UINT16(2, 2),
        INT16(3, 2),
        UINT32(4, 4),
        INT32(5, 4),
        FLOAT32(6, 4),
        BOOL(7, 1),
        STRING(8, 0),
        ARRAY(9, 0),
        UINT64(10, 8),
        INT64(11, 8),
        FLOAT64(12, 8);

        private final int id;
        private final int bytes;

        Type(int id, int bytes) {
            this.id = id;
            this.bytes = bytes;
        }

        /// The number that stands for this type in files.
        int id() {
            return id;
        }

        /// Bytes that a value takes, 0 where that differs from value to value.
        int bytes() {
            return bytes;
        }

        /// The least bytes that a value takes: a text starts with its length, an array with its type and count.
        int minBytes() {
            return switch (this) {
                case STRING -> 8;
                case ARRAY -> 12;
                default -> bytes;
            };
        }
    }

    Type type();

    /// What llama.cpp writes sizes, ids and counts as.
    static GgufValue of(int value) {
        return new Whole(Type.UINT32, value);
    }

    static GgufValue of(double value) {
        return new Real(Type.FLOAT32, value);
    }

    static GgufValue of(boolean value) {
        return new Bool(value);
    }

    static GgufValue of(String value) {
        return new Text(value);
    }

    static GgufValue of(List<String> values) {
        return new Array(Type.STRING, values.stream().map(GgufValue::of).toList());
    }

    /// A whole number; `UINT64` beyond the largest `long` is negative here.
    record Whole(Type type, long value) implements GgufValue {
        @Override
        public String toString() {
            return type == Type.UINT64 ? Long.toUnsignedString(value) : Long.toString(value);
        }
    }

    record Real(Type type, double value) implements GgufValue {
        @Override
        public String toString() {
            return type == Type.FLOAT32 ? Float.toString((float) value) : Double.toString(value);
        }
    }

    record Bool(boolean value) implements GgufValue {
        @Override
        public Type type() {
            return Type.BOOL;
        }

        @Override
        public String toString() {
            return Boolean.toString(value);
        }
    }

    record Text(String value) implements GgufValue {
        @Override
        public Type type() {
            return Type.STRING;
        }

        @Override
        public String toString() {
            return value;
        }
    }

    record Array(Type elementType, List<GgufValue> values) implements GgufValue {
        @Override
        public Type type() {
            return Type.ARRAY;
        }

        @Override
        public String toString() {
            return values.toString();
        }
    }
}
