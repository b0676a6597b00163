package dev.halftone.format.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.Golden;
import dev.halftone.InputException;
import dev.halftone.format.safetensors.SafetensorsWriter.Entry;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsTest {
    private @TempDir Path dir;

    @Test
    void readsEveryDtypeThatTheReferenceLibraryWrote() {
        try (SafetensorsFile file = SafetensorsFile.open(Golden.path("safetensors/every_dtype.safetensors"))) {
            assertThat(file.metadata()).containsExactly(Map.entry("format", "pt"));
            for (DType dtype : DType.values()) {
                String name = "t." + dtype.torchName();
                assertThat(file.info(name).dtype()).isEqualTo(dtype);
                assertThat(file.info(name).shape()).containsExactly(2, 3);
                byte[] bytes = file.data(name).toArray(ValueLayout.JAVA_BYTE);
                assertThat(bytes).hasSize(6 * dtype.bytes());
                for (int i = 0; i < bytes.length; i++) {
                    assertThat(bytes[i]).isEqualTo((byte) (dtype == DType.BOOL ? i % 2 : i));
                }
            }
            assertThat(file.info("scalar").shape()).isEmpty();
            assertThat(file.data("scalar").get(ValueLayout.JAVA_FLOAT_UNALIGNED, 0))
                    .isEqualTo(3);
            assertThat(file.info("empty").shape()).containsExactly(0, 3);
            assertThat(file.info("empty").elements()).isZero();
            assertThat(file.data("é😀\"\\\n/").get(ValueLayout.JAVA_FLOAT_UNALIGNED, 0))
                    .isEqualTo(2);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"safetensors/every_dtype.safetensors", "hf/llama_tied/model.safetensors"})
    void writesTheBytesThatTheReferenceLibraryWrites(String name) {
        Path golden = Golden.path(name);
        Path copy = dir.resolve("copy.safetensors");
        try (SafetensorsFile file = SafetensorsFile.open(golden)) {
            List<Entry> entries = new ArrayList<>();
            for (TensorInfo t : file.tensors().values()) {
                entries.add(new Entry(t.name(), t.dtype(), t.shape(), () -> file.data(t.name())));
            }
            Collections.shuffle(entries, new Random(1));
            SafetensorsWriter.write(copy, file.metadata(), entries);
        }
        assertThat(copy).hasSameBinaryContentAs(golden);
    }

    @Test
    void tensorsAreAlignedToTheirElements() {
        Path path = dir.resolve("x.safetensors");
        SafetensorsWriter.write(
                path,
                Map.of(),
                List.of(
                        new Entry("a", DType.U8, new long[] {3}, () -> MemorySegment.ofArray(new byte[3])),
                        new Entry("b", DType.I64, new long[] {1}, () -> MemorySegment.ofArray(new long[1]))));
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.data("b").address() % Long.BYTES).isZero();
            assertThat(file.metadata()).isEmpty();
        }
    }

    @Test
    void aWriterThatIsLiedToWritesNothing() {
        Path path = dir.resolve("x.safetensors");
        Entry wrong = new Entry("a", DType.F32, new long[] {2}, () -> MemorySegment.ofArray(new byte[4]));
        assertThatThrownBy(() -> SafetensorsWriter.write(path, Map.of(), List.of(wrong)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("'a'");
        Entry right = new Entry("a", DType.U8, new long[] {4}, () -> MemorySegment.ofArray(new byte[4]));
        assertThatThrownBy(() -> SafetensorsWriter.write(path, Map.of(), List.of(right, right)))
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(dir).isEmptyDirectory();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{'a':{'dtype':'F4','shape':[2],'data_offsets':[0,8]}} | 'a' has the dtype F4",
                "{'a':{'dtype':'F32','shape':[3],'data_offsets':[0,8]}} | 'a' has 8 bytes where its shape and dtype make 12",
                "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,16]}} | 'a' lies at bytes 0 to 16 of 8",
                "{'a':{'dtype':'F32','shape':[2],'data_offsets':[8,0]}} | 'a' lies at bytes 8 to 0 of 8",
                "{'a':{'dtype':'F32','shape':[-2],'data_offsets':[0,8]}} | 'a' has the negative number -2",
                "{'a':{'dtype':'F32','shape':[4294967296,4294967296],'data_offsets':[0,8]}} | 'a' is larger than any memory",
                "{'a':{'dtype':'F32','shape':[99999999999999999999],'data_offsets':[0,8]}} | not valid JSON",
                "{'a':{'dtype':'F32','shape':[2.0],'data_offsets':[0,8]}} | not a list of whole numbers",
                "{'a':{'dtype':'F32','shape':2,'data_offsets':[0,8]}} | is not a list",
                "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0]}} | lacks a dtype, a shape or two data_offsets",
                "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}} | end at byte 4 of 8",
                "{'a':{'dtype':'F32','shape':[1],'data_offsets':[4,8]}} | 'a' begins at byte 4 where 0 is due",
                "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]},'b':{'dtype':'F32','shape':[1],'data_offsets':[4,8]}}"
                        + "| 'b' begins at byte 4 where 8 is due",
                "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]},'a':{'dtype':'F32','shape':[0],'data_offsets':[8,8]}}"
                        + "| Duplicate",
                "{'a':{'dtype':'F32','shape':[[[[[[[[[[2]]]]]]]]]],'data_offsets':[0,8]}} | corrupt",
                "{'a':[]} | 'a' is not a JSON object",
                "{'__metadata__':{'a':1}} | 'a' that is not text",
                "[] | not a JSON object",
                "{} {} | something follows",
                "{ | not valid JSON",
                "nil | not valid JSON",
            })
    void aLyingHeaderIsRefused(String header, String reason) throws IOException {
        Path path = file(header.replace('\'', '"'), 8);
        assertThatThrownBy(() -> SafetensorsFile.open(path))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(path.toString())
                .hasMessageContaining(reason);
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 40, 100_000_001, 9})
    void aHeaderLengthBeyondTheFileIsRefused(long length) throws IOException {
        Path path = dir.resolve("x.safetensors");
        Files.write(
                path,
                ByteBuffer.allocate(16)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(length)
                        .array());
        assertThatThrownBy(() -> SafetensorsFile.open(path))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(Long.toUnsignedString(length));
    }

    @Test
    void aTruncatedFileIsRefusedAtEveryLength() throws IOException {
        byte[] whole = Files.readAllBytes(Golden.path("safetensors/every_dtype.safetensors"));
        Path path = dir.resolve("x.safetensors");
        for (int length = 0; length < whole.length; length++) {
            Files.write(path, Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> SafetensorsFile.open(path)).isInstanceOf(InputException.class);
        }
    }

    @Test
    void aMissingFileAFolderAndAMissingTensorAreNamed() throws IOException {
        assertThatThrownBy(() -> SafetensorsFile.open(dir.resolve("none.safetensors")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("none.safetensors does not exist");
        assertThatThrownBy(() -> SafetensorsFile.open(dir))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("is a folder");
        try (SafetensorsFile file = SafetensorsFile.open(file("{}", 0))) {
            assertThatThrownBy(() -> file.data("w"))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("no tensor 'w'");
        }
    }

    private Path file(String header, int dataBytes) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes = ByteBuffer.allocate(8 + json.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
        Path path = dir.resolve("x.safetensors");
        return Files.write(path, bytes.putLong(json.length).put(json).array());
    }
}
