package dev.halftone.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TensorBoardMetricsTest {
    @TempDir
    Path folder;

    @Test
    void theChecksumIsTensorFlows() {
        // CRC32C of "123456789" is 0xe3069283 (RFC 3720); TensorFlow rotates it and adds its constant.
        int expected = Integer.rotateRight(0xe3069283, 15) + 0xa282ead8;
        assertThat(TfRecords.maskedCrc("123456789".getBytes(StandardCharsets.US_ASCII), 0, 9))
                .isEqualTo(expected);
    }

    @Test
    void anEventHoldsStepTagsAndValues() throws Exception {
        try (MetricSink sink = TensorBoardMetrics.open(folder, 0)) {
            sink.log(300, new TreeMap<>(Map.of("loss", 2.5, "lr", 1e-3)));
        }
        List<Map<Integer, Object>> events = events();
        assertThat(events).hasSize(2);
        assertThat(text(events.get(0).get(3))).isEqualTo("brain.Event:2");
        assertThat(events.get(1)).containsEntry(2, 300L);
        List<Map<Integer, Object>> values = new ArrayList<>();
        for (Object v : (List<?>) fields((byte[]) events.get(1).get(5), true).get(1)) {
            values.add(fields((byte[]) v, false));
        }
        assertThat(values).extracting(v -> text(v.get(1))).containsExactly("loss", "lr");
        assertThat(values).extracting(v -> v.get(2)).containsExactly(2.5f, 1e-3f);
    }

    @Test
    void aResumedRunTellsTensorBoardWhereItGoesOn() throws Exception {
        TensorBoardMetrics.open(folder, 0).close();
        TensorBoardMetrics.open(folder, 7).close();
        Map<Integer, Object> last = events().getLast();
        assertThat(last).containsEntry(2, 8L);
        assertThat(fields((byte[]) last.get(7), false)).containsEntry(1, 1L);
    }

    private List<Map<Integer, Object>> events() throws Exception {
        List<Map<Integer, Object>> events = new ArrayList<>();
        try (var files = Files.list(folder)) {
            for (Path file : files.sorted().toList()) {
                ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
                while (in.hasRemaining()) {
                    byte[] payload = payload(in);
                    events.add(fields(payload, false));
                }
            }
        }
        return events;
    }

    private static byte[] payload(ByteBuffer in) {
        int at = in.position();
        byte[] payload = new byte[Math.toIntExact(in.getLong())];
        assertThat(in.getInt()).isEqualTo(TfRecords.maskedCrc(in.array(), at, 8));
        in.get(payload);
        assertThat(in.getInt()).isEqualTo(TfRecords.maskedCrc(payload, 0, payload.length));
        return payload;
    }

    private static String text(Object bytes) {
        return new String((byte[]) bytes, StandardCharsets.UTF_8);
    }

    /// Fields by number; as lists where `repeated`.
    private static Map<Integer, Object> fields(byte[] message, boolean repeated) {
        Map<Integer, Object> fields = new TreeMap<>();
        ByteBuffer in = ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN);
        while (in.hasRemaining()) {
            long key = varint(in);
            Object value = switch ((int) key & 7) {
                case 0 -> varint(in);
                case 1 -> in.getDouble();
                case 2 -> {
                    byte[] bytes = new byte[(int) varint(in)];
                    in.get(bytes);
                    yield bytes;
                }
                case 5 -> in.getFloat();
                default -> throw new AssertionError("wire type of key " + key);
            };
            if (repeated) {
                @SuppressWarnings("unchecked")
                List<Object> list = (List<Object>) fields.computeIfAbsent((int) key >>> 3, _ -> new ArrayList<>());
                list.add(value);
            } else {
                fields.put((int) key >>> 3, value);
            }
        }
        return fields;
    }

    private static long varint(ByteBuffer in) {
        long value = 0;
        for (int shift = 0; ; shift += 7) {
            byte b = in.get();
            value |= (long) (b & 0x7f) << shift;
            if (b >= 0) {
                return value;
            }
        }
    }
}
