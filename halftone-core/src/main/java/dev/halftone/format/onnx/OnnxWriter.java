package dev.halftone.format.onnx;

import dev.halftone.RunException;
import dev.halftone.format.AtomicFiles;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/// Writes a model: its graph, and its weights row by row beside it.
public final class OnnxWriter {
    /// The graph's file.
    public static final String MODEL = "model.onnx";

    private OnnxWriter() {}

    /// @param folder one that exists, such as [AtomicFiles#writeFolder] fills
    /// @param model the graph's bytes
    /// @throws RunException if it cannot be written, for example because the disk is full
    public static void writeInto(Path folder, OnnxGraph graph, byte[] model) {
        AtomicFiles.writeFile(folder.resolve(MODEL), channel -> drain(channel, ByteBuffer.wrap(model)));
        AtomicFiles.writeFile(folder.resolve(OnnxTensor.DATA), channel -> {
            ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);
            for (OnnxGraph.External weight : graph.external()) {
                // What lies between two weights is left out, and so zero.
                channel.position(weight.tensor().offset());
                long bytes = 0;
                for (long r = 0; r < weight.rowCount(); r++) {
                    MemorySegment row = weight.rows().apply(r);
                    put(row, buffer, channel);
                    bytes += row.byteSize();
                }
                drain(channel, buffer.flip());
                buffer.clear();
                if (bytes != weight.tensor().bytes()) {
                    throw new IllegalArgumentException("the rows of '%s' are %d bytes, not %d"
                            .formatted(
                                    weight.tensor().name(),
                                    bytes,
                                    weight.tensor().bytes()));
                }
            }
        });
    }

    /// Rows, which are short, are collected into pieces that are worth a call of the operating system.
    private static void put(MemorySegment row, ByteBuffer buffer, FileChannel channel) throws IOException {
        for (long at = 0; at < row.byteSize(); ) {
            if (!buffer.hasRemaining()) {
                drain(channel, buffer.flip());
                buffer.clear();
            }
            int piece = (int) Math.min(buffer.remaining(), row.byteSize() - at);
            MemorySegment.copy(row, at, MemorySegment.ofBuffer(buffer), 0, piece);
            buffer.position(buffer.position() + piece);
            at += piece;
        }
    }

    private static void drain(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }
}
