package dev.halftone.format.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.LittleEndian;
import dev.halftone.format.onnx.OnnxNode.Attribute;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OnnxFileTest {
    @TempDir
    Path dir;

    @Test
    void weightsAreReadAsTheyWereWritten() {
        write();
        try (OnnxFile file = OnnxFile.open(dir)) {
            assertThat(file.names()).containsExactly("codes", "scale");
            assertThat(file.dtype("codes")).isEqualTo(DType.U8);
            assertThat(file.shape("codes")).containsExactly(3, 2, 16);
            assertThat(file.data("codes").toArray(ValueLayout.JAVA_BYTE))
                    .hasSize(96)
                    .startsWith(row(0))
                    .endsWith(row(2));
            assertThat(file.layout("codes", 64)).hasValue(new NBits(4, 32));
            assertThat(file.layout("scale", 64)).isEmpty();
            MemorySegment scale = file.data("scale");
            assertThat(scale.get(LittleEndian.FLOAT, 20)).isEqualTo(21);
            assertThatThrownBy(() -> file.data("x")).isInstanceOf(InputException.class);
        }
    }

    /// So that they can be mapped into memory.
    @Test
    void weightsBeginAtPages() throws IOException {
        write();
        assertThat(Files.size(dir.resolve("model.onnx.data"))).isEqualTo(OnnxGraph.ALIGNMENT + 3 * 2 * 4);
    }

    @Test
    void theSameGraphIsTheSameBytes() {
        assertThat(graph().toBytes("test", "1")).isEqualTo(graph().toBytes("test", "1"));
        assertThat(graph().toBytes("test", "1")).isNotEqualTo(graph().toBytes("test", "2"));
    }

    @Test
    void damagedFilesAreRefused() throws IOException {
        byte[] model = write();
        for (int length : new int[] {0, 5, model.length / 2, model.length - 1}) {
            Files.write(dir.resolve("model.onnx"), Arrays.copyOf(model, length));
            assertThatThrownBy(() -> OnnxFile.open(dir))
                    .as("%d bytes", length)
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("model.onnx");
        }
        Files.write(dir.resolve("model.onnx"), model);
        try (RandomAccessFile data =
                new RandomAccessFile(dir.resolve("model.onnx.data").toFile(), "rw")) {
            data.setLength(data.length() - 1);
        }
        assertThatThrownBy(() -> OnnxFile.open(dir))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("'scale' lies beyond the end");
        Files.delete(dir.resolve("model.onnx.data"));
        assertThatThrownBy(() -> OnnxFile.open(dir))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("does not exist");
    }

    /// protobuf's documentation has 150 as 96 01, and negative numbers as ten bytes.
    @Test
    void numbersAreVarints() {
        byte[] bytes = new MessageWriter().whole(1, 150).whole(2, -1).toBytes();
        assertThat(bytes).startsWith(0x08, 0x96, 0x01, 0x10).hasSize(14);
        Message read = Message.parse(ByteBuffer.wrap(bytes));
        assertThat(read.wholes(1)).containsExactly(150);
        assertThat(read.wholes(2)).containsExactly(-1);
    }

    private byte[] write() {
        OnnxGraph graph = graph();
        byte[] model = graph.toBytes("test", "1");
        OnnxWriter.writeInto(dir, graph, model);
        return model;
    }

    private static OnnxGraph graph() {
        OnnxGraph graph = new OnnxGraph();
        String x = graph.input("x", DType.F32, "rows", 64);
        String codes = graph.weight("codes", DType.U8, new long[] {3, 2, 16}, r -> MemorySegment.ofArray(row(r)));
        String scale = graph.weight("scale", DType.F32, new long[] {3, 2}, r -> OnnxGraph.row(10 * r, 10 * r + 1));
        String y = graph.contrib("layer", "MatMulNBits", List.of(Attribute.of("bits", 4)), x, codes, scale);
        graph.output("y", y, DType.F32, "rows", 3);
        return graph;
    }

    private static byte[] row(long r) {
        byte[] row = new byte[32];
        Arrays.fill(row, (byte) r);
        return row;
    }
}
