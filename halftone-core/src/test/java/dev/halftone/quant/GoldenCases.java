package dev.halftone.quant;

import dev.halftone.DType;
import dev.halftone.Golden;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.format.safetensors.TensorInfo;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/// The cases of `golden/quant` as plain arrays.
final class GoldenCases {
    private GoldenCases() {}

    /// @param tensors role to values
    record Case(String name, JsonNode params, DType dtype, Map<String, double[]> tensors, Map<String, long[]> shapes) {
        float[] get(String role) {
            double[] values = tensors.get(role);
            float[] floats = new float[values.length];
            for (int i = 0; i < floats.length; i++) {
                floats[i] = (float) values[i];
            }
            return floats;
        }

        int[] ints(String role) {
            return Arrays.stream(tensors.get(role)).mapToInt(v -> (int) v).toArray();
        }

        boolean has(String role) {
            return tensors.containsKey(role);
        }

        long columns(String role) {
            long[] shape = shapes.get(role);
            return shape[shape.length - 1];
        }

        @Override
        public String toString() {
            return name;
        }
    }

    /// The cases of a file, such as `01_int8da_intx_weight`, whose names contain `part`.
    static List<Case> read(String file, String part) {
        Path folder = Golden.path("quant");
        JsonNode index = new ObjectMapper().readTree(folder.resolve("index.json"));
        List<Case> cases = new ArrayList<>();
        try (SafetensorsFile tensors = SafetensorsFile.open(folder.resolve(file + ".safetensors"))) {
            for (JsonNode c : index.get("cases")) {
                String name = c.get("name").asString();
                if (c.get("file").asString().equals(file + ".safetensors") && name.contains(part)) {
                    Map<String, double[]> values = new HashMap<>();
                    Map<String, long[]> shapes = new HashMap<>();
                    c.get("tensors").forEachEntry((role, entry) -> {
                        String key = entry.get("key").asString();
                        values.put(
                                role,
                                values(tensors.data(key), tensors.tensors().get(key)));
                        shapes.put(role, tensors.tensors().get(key).shape());
                    });
                    cases.add(new Case(name, c.get("params"), DType.parse(dtype(c)), values, shapes));
                }
            }
        }
        return cases;
    }

    private static String dtype(JsonNode c) {
        return c.get("dtype").asString();
    }

    private static double[] values(MemorySegment bytes, TensorInfo info) {
        double[] values = new double[(int) (bytes.byteSize() / info.dtype().bytes())];
        for (int i = 0; i < values.length; i++) {
            values[i] = switch (info.dtype()) {
                case F32 -> bytes.get(ValueLayout.JAVA_FLOAT_UNALIGNED, 4L * i);
                case BF16 -> Float.intBitsToFloat(bytes.get(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * i) << 16);
                case F16 -> Float.float16ToFloat(bytes.get(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * i));
                case I8 -> bytes.get(ValueLayout.JAVA_BYTE, i);
                case U8 -> Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, i));
                case I32 -> bytes.get(ValueLayout.JAVA_INT_UNALIGNED, 4L * i);
                case I64 -> bytes.get(ValueLayout.JAVA_LONG_UNALIGNED, 8L * i);
                default -> throw new IllegalArgumentException(info.toString());
            };
        }
        return values;
    }
}
