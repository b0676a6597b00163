package dev.halftone.format.safetensors;

import dev.halftone.DType;
import dev.halftone.InputException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.json.JsonFactory;

/// A header that has been checked: every tensor's bytes are its shape times its dtype, and together they are the
/// file.
///
/// @param tensors in the order of their bytes
record SafetensorsHeader(Map<String, String> metadata, Map<String, TensorInfo> tensors) {
    private static final int MAX_NESTING = 8;

    private static final JsonFactory JSON = JsonFactory.builder()
            // Names are rarely repeated: a table of them would only grow.
            .disable(TokenStreamFactory.Feature.CANONICALIZE_PROPERTY_NAMES)
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .streamReadConstraints(
                    StreamReadConstraints.builder().maxNestingDepth(MAX_NESTING).build())
            .build();

    /// @param file for messages
    /// @param json the header's bytes
    /// @param dataBytes how many bytes follow it
    static SafetensorsHeader parse(Path file, byte[] json, long dataBytes) {
        return new Reader(file, dataBytes).read(json);
    }

    private static final class Reader {
        private final Path file;
        private final long dataBytes;
        private final Map<String, String> metadata = new LinkedHashMap<>();
        private final List<TensorInfo> tensors = new ArrayList<>();

        Reader(Path file, long dataBytes) {
            this.file = file;
            this.dataBytes = dataBytes;
        }

        SafetensorsHeader read(byte[] json) {
            try (JsonParser p = JSON.createParser(ObjectReadContext.empty(), json)) {
                if (p.nextToken() != JsonToken.START_OBJECT) {
                    throw corrupt("its header is not a JSON object");
                }
                for (String name = p.nextName(); name != null; name = p.nextName()) {
                    if (name.equals("__metadata__")) {
                        readMetadata(p);
                    } else {
                        tensors.add(readTensor(p, name));
                    }
                }
                if (p.nextToken() != null) {
                    throw corrupt("something follows the JSON object in its header");
                }
            } catch (JacksonException e) {
                throw corrupt("its header is not valid JSON (%s)".formatted(e.getOriginalMessage()));
            }
            return new SafetensorsHeader(Collections.unmodifiableMap(metadata), inOrder());
        }

        private void readMetadata(JsonParser p) {
            if (p.nextToken() != JsonToken.START_OBJECT) {
                throw corrupt("`__metadata__` is not a JSON object");
            }
            for (String key = p.nextName(); key != null; key = p.nextName()) {
                if (p.nextToken() != JsonToken.VALUE_STRING) {
                    throw corrupt("`__metadata__` has a value for '%s' that is not text".formatted(key));
                }
                metadata.put(key, p.getString());
            }
        }

        private TensorInfo readTensor(JsonParser p, String name) {
            if (p.nextToken() != JsonToken.START_OBJECT) {
                throw corrupt("the entry of tensor '%s' is not a JSON object".formatted(name));
            }
            DType dtype = null;
            long[] shape = null;
            long[] offsets = null;
            for (String key = p.nextName(); key != null; key = p.nextName()) {
                JsonToken value = p.nextToken();
                switch (key) {
                    case "dtype" -> dtype = dtype(name, value == JsonToken.VALUE_STRING ? p.getString() : null);
                    case "shape" -> shape = readLongs(p, name, key);
                    case "data_offsets" -> offsets = readLongs(p, name, key);
                    default -> p.skipChildren();
                }
            }
            if (dtype == null || shape == null || offsets == null || offsets.length != 2) {
                throw corrupt("the entry of tensor '%s' lacks a dtype, a shape or two data_offsets".formatted(name));
            }
            TensorInfo tensor = new TensorInfo(name, dtype, shape, offsets[0], offsets[1]);
            check(tensor);
            return tensor;
        }

        private DType dtype(String tensor, @Nullable String value) {
            for (DType dtype : DType.values()) {
                if (dtype.name().equals(value)) {
                    return dtype;
                }
            }
            throw new InputException(
                    "%s: tensor '%s' has the dtype %s, which is not supported. Convert it to F32 or BF16."
                            .formatted(file, tensor, value));
        }

        private long[] readLongs(JsonParser p, String tensor, String key) {
            if (p.currentToken() != JsonToken.START_ARRAY) {
                throw corrupt("the %s of tensor '%s' is not a list".formatted(key, tensor));
            }
            List<Long> values = new ArrayList<>();
            while (p.nextToken() != JsonToken.END_ARRAY) {
                if (p.currentToken() != JsonToken.VALUE_NUMBER_INT) {
                    throw corrupt("the %s of tensor '%s' is not a list of whole numbers".formatted(key, tensor));
                }
                long value = p.getLongValue();
                if (value < 0) {
                    throw corrupt("the %s of tensor '%s' has the negative number %d".formatted(key, tensor, value));
                }
                values.add(value);
            }
            return values.stream().mapToLong(Long::longValue).toArray();
        }

        private void check(TensorInfo t) {
            if (t.begin() > t.end() || t.end() > dataBytes) {
                throw corrupt("tensor '%s' lies at bytes %d to %d of %d (is the file truncated?)"
                        .formatted(t.name(), t.begin(), t.end(), dataBytes));
            }
            long size = t.dtype().bytes();
            try {
                for (long n : t.shape()) {
                    size = Math.multiplyExact(size, n);
                }
            } catch (ArithmeticException _) {
                throw corrupt("the shape of tensor '%s' is larger than any memory".formatted(t.name()));
            }
            if (size != t.bytes()) {
                throw corrupt("tensor '%s' has %d bytes where its shape and dtype make %d"
                        .formatted(t.name(), t.bytes(), size));
            }
        }

        /// The tensors by their offsets, which must follow one another from the first byte to the last.
        private Map<String, TensorInfo> inOrder() {
            tensors.sort(Comparator.comparingLong(TensorInfo::begin).thenComparingLong(TensorInfo::end));
            Map<String, TensorInfo> byName = new LinkedHashMap<>();
            long position = 0;
            for (TensorInfo t : tensors) {
                if (t.begin() != position) {
                    throw corrupt("tensor '%s' begins at byte %d where %d is due: tensors overlap or leave a hole"
                            .formatted(t.name(), t.begin(), position));
                }
                position = t.end();
                byName.put(t.name(), t);
            }
            if (position != dataBytes) {
                throw corrupt("its tensors end at byte %d of %d".formatted(position, dataBytes));
            }
            return Collections.unmodifiableMap(byName);
        }

        private InputException corrupt(String what) {
            return new InputException("%s is corrupt: %s. Fetch or write it again.".formatted(file, what));
        }
    }
}
