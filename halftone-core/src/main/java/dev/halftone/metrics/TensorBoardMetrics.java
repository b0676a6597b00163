package dev.halftone.metrics;

import dev.halftone.RunException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;

/// A TensorBoard event file: a sequence of [TfRecords], each an `Event` message of TensorFlow's `event.proto`.
///
/// Only these fields are needed, encoded by hand: `Event` {1 wall_time double, 2 step int64, 3 file_version
/// string, 5 summary, 7 session_log}, `Summary` {1 value}, `Summary.Value` {1 tag string, 2 simple_value
/// float}, `SessionLog` {1 status enum}.
public final class TensorBoardMetrics implements MetricSink {
    private static final int SESSION_START = 1;

    private final Path file;
    private final FileChannel out;

    private TensorBoardMetrics(Path file, FileChannel out) {
        this.file = file;
        this.out = out;
    }

    /// Starts a new event file in `folder`, to go on after `lastStep`: TensorBoard then forgets what earlier
    /// files of the folder say about later steps.
    ///
    /// @param lastStep 0 for a new run
    public static TensorBoardMetrics open(Path folder, long lastStep) {
        try {
            Files.createDirectories(folder);
            TensorBoardMetrics metrics = create(folder, System.currentTimeMillis());
            metrics.write(new Message().text(3, "brain.Event:2"));
            if (lastStep > 0) {
                metrics.write(new Message().varint(2, lastStep + 1).message(7, new Message().varint(1, SESSION_START)));
            }
            return metrics;
        } catch (IOException e) {
            throw failed(folder, e);
        }
    }

    private static TensorBoardMetrics create(Path folder, long millis) throws IOException {
        // TensorBoard reads a folder's files in the order of their names.
        Path file = folder.resolve("events.out.tfevents.%013d.halftone".formatted(millis));
        try {
            return new TensorBoardMetrics(
                    file, FileChannel.open(file, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW));
        } catch (FileAlreadyExistsException taken) {
            return create(folder, millis + 1);
        }
    }

    @Override
    public void log(long step, Map<String, Double> values) {
        Message summary = new Message();
        values.forEach(
                (tag, value) -> summary.message(1, new Message().text(1, tag).float32(2, value.floatValue())));
        write(new Message().varint(2, step).message(5, summary));
    }

    private void write(Message event) {
        event.float64(1, System.currentTimeMillis() / 1000.0);
        ByteBuffer record = TfRecords.frame(event.bytes());
        try {
            while (record.hasRemaining()) {
                out.write(record);
            }
        } catch (IOException e) {
            throw failed(file, e);
        }
    }

    @Override
    public void close() {
        try {
            out.close();
        } catch (IOException e) {
            throw failed(file, e);
        }
    }

    private static RunException failed(Path file, IOException e) {
        return new RunException(
                "Could not write %s (%s). Free space or choose another output_dir.".formatted(file, e.getMessage()), e);
    }

    /// A protobuf message under construction. A field is a key (number * 8 + wire type) and a value.
    private static final class Message {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        Message varint(int field, long value) {
            key(field, 0);
            raw(value);
            return this;
        }

        Message float64(int field, double value) {
            key(field, 1);
            out.writeBytes(ByteBuffer.allocate(8)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putDouble(value)
                    .array());
            return this;
        }

        Message float32(int field, float value) {
            key(field, 5);
            out.writeBytes(ByteBuffer.allocate(4)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putFloat(value)
                    .array());
            return this;
        }

        Message text(int field, String value) {
            return bytes(field, value.getBytes(StandardCharsets.UTF_8));
        }

        Message message(int field, Message value) {
            return bytes(field, value.bytes());
        }

        private Message bytes(int field, byte[] value) {
            key(field, 2);
            raw(value.length);
            out.writeBytes(value);
            return this;
        }

        private void key(int field, int wireType) {
            raw(field * 8L + wireType);
        }

        /// Seven bits a byte, the lowest first, the top bit set on all but the last.
        private void raw(long value) {
            long rest = value;
            while ((rest & ~0x7fL) != 0) {
                out.write((int) (rest & 0x7f | 0x80));
                rest >>>= 7;
            }
            out.write((int) rest);
        }

        byte[] bytes() {
            return out.toByteArray();
        }
    }
}
