package dev.halftone.format.gguf;

import dev.halftone.InputException;
import dev.halftone.format.LittleEndian;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Parses and checks what stands before the tensors' bytes.
final class GgufReader {
    private static final int MAGIC = 0x46554747; // "GGUF"
    private static final long DEFAULT_ALIGNMENT = 32;
    private static final int MAX_DIMENSIONS = 4;
    /// llama.cpp writes no arrays of arrays; the format allows them.
    private static final int MAX_NESTING = 4;
    /// The least bytes that a metadata entry takes: key length, type, value.
    private static final long MIN_ENTRY = 13;
    /// The least bytes that a tensor takes: name length, number of dimensions, type, offset.
    private static final long MIN_TENSOR = 24;

    private static final GgufValue.Type[] TYPES = GgufValue.Type.values();

    private final Path file;
    private final MemorySegment bytes;
    private final Cursor in;

    GgufReader(Path file, MemorySegment bytes) {
        this.file = file;
        this.bytes = bytes;
        this.in = new Cursor(file, bytes);
    }

    /// @param tensors in the file's order
    /// @param data the tensors' bytes
    record Content(int version, GgufMetadata metadata, Map<String, GgufTensor> tensors, MemorySegment data) {}

    Content read() {
        int version = version();
        long tensorCount = in.count("tensors", MIN_TENSOR);
        long entryCount = in.count("metadata entries", MIN_ENTRY);
        GgufMetadata metadata = metadata(entryCount);
        Map<String, GgufTensor> tensors = tensors(tensorCount);
        long alignment = metadata.whole("general.alignment").orElse(DEFAULT_ALIGNMENT);
        if (Long.bitCount(alignment) != 1 || alignment > Integer.MAX_VALUE) {
            throw in.corrupt("its alignment is %d, which is no power of two".formatted(alignment));
        }
        long start = Math.ceilDiv(in.position(), alignment) * alignment;
        // A file without tensors may end before the padding does.
        MemorySegment data = bytes.asSlice(Math.min(start, bytes.byteSize()));
        checkPlaces(tensors.values(), alignment, data.byteSize());
        return new Content(version, metadata, tensors, data);
    }

    private int version() {
        if (bytes.byteSize() < Integer.BYTES || in.u32("the magic number") != MAGIC) {
            throw new InputException("%s is not a GGUF file. Give one that llama.cpp reads.".formatted(file));
        }
        int version = in.u32("the version");
        if (version != 2 && version != 3) {
            // A file of a big-endian machine shows its version with the bytes swapped.
            String what =
                    (version & 0xffff) == 0 ? "is big-endian" : "has GGUF version " + Integer.toUnsignedString(version);
            throw new InputException("%s %s, which is not supported. Convert the model again with a current llama.cpp."
                    .formatted(file, what));
        }
        return version;
    }

    private GgufMetadata metadata(long count) {
        Map<String, GgufValue> values = new LinkedHashMap<>();
        for (long i = 0; i < count; i++) {
            String key = in.text("a key");
            if (values.put(key, value(key, type(key), 0)) != null) {
                throw in.corrupt("it has the key '%s' twice".formatted(key));
            }
        }
        return new GgufMetadata(file, Collections.unmodifiableMap(values));
    }

    private GgufValue.Type type(String key) {
        int id = in.u32(key);
        if (id < 0 || id >= TYPES.length) {
            throw in.corrupt("the value of '%s' has the unknown type %s".formatted(key, Integer.toUnsignedString(id)));
        }
        return TYPES[id];
    }

    private GgufValue value(String key, GgufValue.Type type, int depth) {
        return switch (type) {
            case STRING -> new GgufValue.Text(in.text(key));
            case ARRAY -> array(key, depth + 1);
            default -> scalar(key, type, in.take(type.bytes(), key), 0);
        };
    }

    private GgufValue.Array array(String key, int depth) {
        if (depth > MAX_NESTING) {
            throw in.corrupt("'%s' nests arrays more than %d deep".formatted(key, MAX_NESTING));
        }
        GgufValue.Type type = type(key);
        long count = in.count("values of '%s'".formatted(key), type.minBytes());
        if (type.bytes() > 0) {
            return new GgufValue.Array(type, scalars(key, type, count));
        }
        List<GgufValue> values = new ArrayList<>();
        for (long i = 0; i < count; i++) {
            values.add(value(key, type, depth));
        }
        return new GgufValue.Array(type, Collections.unmodifiableList(values));
    }

    /// A list that keeps the file's bytes and makes a value when it is asked for: objects would take ten times as
    /// much.
    private List<GgufValue> scalars(String key, GgufValue.Type type, long count) {
        if (count > Integer.MAX_VALUE / type.bytes()) {
            throw in.corrupt("'%s' claims %d values".formatted(key, count));
        }
        MemorySegment copy =
                MemorySegment.ofArray(in.take(count * type.bytes(), key).toArray(ValueLayout.JAVA_BYTE));
        List<GgufValue> values = new AbstractList<>() {
            @Override
            public GgufValue get(int i) {
                return scalar(key, type, copy, (long) i * type.bytes());
            }

            @Override
            public int size() {
                return (int) count;
            }
        };
        if (type == GgufValue.Type.BOOL) {
            values.forEach(_ -> {}); // fails here, not later, where one is neither true nor false
        }
        return values;
    }

    private GgufValue scalar(String key, GgufValue.Type type, MemorySegment s, long at) {
        return switch (type) {
            case UINT8 -> new GgufValue.Whole(type, SimpleBlocks.u8(s, at));
            case INT8 -> new GgufValue.Whole(type, s.get(ValueLayout.JAVA_BYTE, at));
            case UINT16 -> new GgufValue.Whole(type, Short.toUnsignedInt(s.get(LittleEndian.SHORT, at)));
            case INT16 -> new GgufValue.Whole(type, s.get(LittleEndian.SHORT, at));
            case UINT32 -> new GgufValue.Whole(type, Integer.toUnsignedLong(s.get(LittleEndian.INT, at)));
            case INT32 -> new GgufValue.Whole(type, s.get(LittleEndian.INT, at));
            case UINT64, INT64 -> new GgufValue.Whole(type, s.get(LittleEndian.LONG, at));
            case FLOAT32 -> new GgufValue.Real(type, Float.intBitsToFloat(s.get(LittleEndian.INT, at)));
            case FLOAT64 -> new GgufValue.Real(type, Double.longBitsToDouble(s.get(LittleEndian.LONG, at)));
            case BOOL ->
                switch (s.get(ValueLayout.JAVA_BYTE, at)) {
                    case 0 -> new GgufValue.Bool(false);
                    case 1 -> new GgufValue.Bool(true);
                    default -> throw in.corrupt("'%s' has a value that is neither true nor false".formatted(key));
                };
            case STRING, ARRAY -> throw new IllegalArgumentException(type + " has no fixed size");
        };
    }

    private Map<String, GgufTensor> tensors(long count) {
        Map<String, GgufTensor> tensors = new LinkedHashMap<>();
        for (long i = 0; i < count; i++) {
            GgufTensor tensor = tensor();
            if (tensors.put(tensor.name(), tensor) != null) {
                throw in.corrupt("it has the tensor '%s' twice".formatted(tensor.name()));
            }
        }
        return Collections.unmodifiableMap(tensors);
    }

    private GgufTensor tensor() {
        String name = in.text("a tensor's name");
        int dimensions = in.u32(name);
        if (dimensions < 0 || dimensions > MAX_DIMENSIONS) {
            throw in.corrupt("tensor '%s' has %s dimensions".formatted(name, Integer.toUnsignedString(dimensions)));
        }
        long[] shape = new long[dimensions];
        for (int i = dimensions - 1; i >= 0; i--) {
            shape[i] = in.u64(name);
        }
        int typeId = in.u32(name);
        long begin = in.u64(name);
        try {
            long elements = elements(name, shape);
            long row = dimensions == 0 ? 1 : shape[dimensions - 1];
            long bytes =
                    GgmlType.of(typeId).map(t -> bytes(name, t, row, elements)).orElse(0L);
            return new GgufTensor(name, shape, typeId, begin, Math.addExact(begin, bytes));
        } catch (ArithmeticException _) {
            throw in.corrupt("the shape or offset of tensor '%s' is larger than any memory".formatted(name));
        }
    }

    /// Size of a tensor, whose rows must be whole blocks.
    private long bytes(String name, GgmlType type, long row, long elements) {
        if (row % type.blockSize() != 0) {
            throw in.corrupt("tensor '%s' has rows of %d weights, no multiple of %s's blocks of %d"
                    .formatted(name, row, type, type.blockSize()));
        }
        return Math.multiplyExact(elements / type.blockSize(), (long) type.blockBytes());
    }

    private long elements(String name, long[] shape) {
        long elements = 1;
        for (long n : shape) {
            if (n < 0) {
                throw in.corrupt("tensor '%s' has the size %s".formatted(name, Long.toUnsignedString(n)));
            }
            elements = Math.multiplyExact(elements, n);
        }
        return elements;
    }

    private void checkPlaces(Iterable<GgufTensor> tensors, long alignment, long dataBytes) {
        List<GgufTensor> byPlace = new ArrayList<>();
        tensors.forEach(byPlace::add);
        byPlace.sort(Comparator.comparingLong(GgufTensor::begin).thenComparingLong(GgufTensor::end));
        long free = 0;
        for (GgufTensor t : byPlace) {
            if (t.begin() < 0 || t.begin() % alignment != 0 || t.end() > dataBytes) {
                throw in.corrupt("tensor '%s' lies at bytes %s to %s of %d (is it truncated?)"
                        .formatted(t.name(), Long.toUnsignedString(t.begin()), t.end(), dataBytes));
            }
            if (t.begin() < free) {
                throw in.corrupt("tensor '%s' overlaps the one before it".formatted(t.name()));
            }
            free = t.end();
        }
    }
}
