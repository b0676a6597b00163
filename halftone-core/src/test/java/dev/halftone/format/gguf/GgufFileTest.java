package dev.halftone.format.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.Golden;
import dev.halftone.InputException;
import dev.halftone.format.Json;
import dev.halftone.format.safetensors.SafetensorsFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

class GgufFileTest {
    private static final Path GOLDEN = Golden.path("gguf/metadata.gguf");

    private @TempDir Path dir;

    @Test
    void readsEveryMetadataTypeThatGgufPyWrites() {
        try (GgufFile file = GgufFile.open(GOLDEN)) {
            GgufMetadata m = file.metadata();
            assertThat(file.version()).isEqualTo(3);
            assertThat(m.text("general.architecture")).hasValue("llama");
            assertThat(m.whole("a.u8")).hasValue(250L);
            assertThat(m.values().get("a.i8")).isEqualTo(new GgufValue.Whole(GgufValue.Type.INT8, -3));
            assertThat(m.whole("a.u16")).hasValue(65000L);
            assertThat(m.values().get("a.i16")).isEqualTo(new GgufValue.Whole(GgufValue.Type.INT16, -300));
            assertThat(m.whole("a.u32")).hasValue(4000000000L);
            assertThat(m.values().get("a.i32")).isEqualTo(new GgufValue.Whole(GgufValue.Type.INT32, -5));
            assertThat(m.real("a.f32")).hasValue(1e-5);
            assertThat(m.bool("a.yes")).hasValue(true);
            assertThat(m.bool("a.no")).hasValue(false);
            assertThat(m.text("a.text")).hasValue("naïve 😀");
            assertThat(m.values().get("a.u64")).hasToString("18446744073709551615");
            assertThat(m.values().get("a.i64")).hasToString("-9223372036854775808");
            assertThat(m.real("a.f64")).hasValue(0.1);
            assertThat(m.wholes("a.ints").orElseThrow()).containsExactly(1, -2, 3);
            assertThat(m.wholes("a.u8s").orElseThrow()).containsExactly(1, 2, 255);
            assertThat(m.texts("a.texts").orElseThrow()).containsExactly("", "b", "ç");
            assertThat(m.values().get("a.reals")).hasToString("[0.5, -1.5]");
            assertThat(m.values().get("a.bools")).hasToString("[true, false, true]");
            assertThat(m.text("a.none")).isEmpty();
            assertThatThrownBy(() -> m.text("a.u8"))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("'a.u8' is of type UINT8 where text is wanted");
            assertThatThrownBy(() -> m.whole("a.i8")).isInstanceOf(InputException.class);
            assertThatThrownBy(() -> m.texts("a.ints")).isInstanceOf(InputException.class);
        }
    }

    @Test
    void tensorsHaveTorchsShapesAndTheirValues() {
        try (GgufFile file = GgufFile.open(GOLDEN);
                SafetensorsFile expected = SafetensorsFile.open(Golden.path("gguf/metadata.safetensors"))) {
            assertThat(file.tensors()).containsOnlyKeys("f32", "f16", "bf16", "q8_0", "q4_1");
            file.tensors().forEach((name, tensor) -> {
                assertThat(tensor.shape()).isEqualTo(expected.info(name).shape());
                assertThat(tensor.typeName()).isEqualTo(name.toUpperCase(Locale.ROOT));
                assertThat(tensor.begin() % 64).isZero();
                assertThat(bits(file.dequantize(name))).isEqualTo(ints(expected.data(name)));
            });
            float[] part = new float[32];
            file.dequantize("q8_0", 64, part, 32);
            assertThat(part).isEqualTo(Arrays.copyOfRange(file.dequantize("q8_0"), 64, 96));
        }
    }

    static List<JsonNode> blocks() {
        return Json.readObject(Golden.path("quant/index.json"))
                .path("cases")
                .valueStream()
                .filter(c -> c.path("file").asString().equals("08_gguf.safetensors"))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("blocks")
    void dequantizationMatchesGgufPyBitForBit(JsonNode golden) {
        JsonNode params = golden.path("params");
        GgmlType type = GgmlType.of(params.path("ggml_type").asInt()).orElseThrow();
        assertThat(type.blockSize()).isEqualTo(params.path("block").asInt());
        assertThat(type.blockBytes()).isEqualTo(params.path("bytes_per_block").asInt());
        try (SafetensorsFile file = SafetensorsFile.open(Golden.path("quant/08_gguf.safetensors"))) {
            MemorySegment raw = file.data(golden.at("/tensors/raw/key").asString());
            int[] expected = ints(file.data(golden.at("/tensors/x_dq/key").asString()));
            assertThat(bits(type.dequantize(raw))).isEqualTo(expected);
            assertThatThrownBy(() -> type.dequantize(raw.asSlice(1))).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void anUnknownTypeIsNamedAndTheRestIsRead() throws IOException {
        Path path = write(b -> {
            header(b, 3, 2, 0);
            tensor(b, "odd", 99, 0, 64);
            tensor(b, "even", GgmlType.F32.id(), 32, 1);
            pad(b);
            b.put(new byte[36]);
        });
        try (GgufFile file = GgufFile.open(path)) {
            assertThat(file.info("odd").typeName()).isEqualTo("type 99");
            assertThat(file.info("odd").type()).isEmpty();
            assertThat(file.dequantize("even")).containsExactly(0);
            assertThatThrownBy(() -> file.dequantize("odd"))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("'odd' is of type 99");
            assertThatThrownBy(() -> file.data("none"))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("no tensor 'none'");
        }
    }

    @Test
    void nestedArraysAreReadToALimit() throws IOException {
        Path nested = write(b -> {
            header(b, 3, 0, 1);
            text(b, "k");
            b.putInt(9).putInt(9).putLong(2);
            b.putInt(0).putLong(1).put((byte) 7);
            b.putInt(8).putLong(1);
            text(b, "x");
        });
        try (GgufFile file = GgufFile.open(nested)) {
            assertThat(file.metadata().values().get("k")).hasToString("[[7], [x]]");
        }
        refused("nests arrays more than 4 deep", b -> {
            header(b, 3, 0, 1);
            text(b, "k");
            b.putInt(9);
            for (int i = 0; i < 10; i++) {
                b.putInt(9).putLong(1);
            }
        });
    }

    @Test
    void liesAreRefused() throws IOException {
        refused("not a GGUF file", b -> b.putInt(1).putInt(3));
        refused("not a GGUF file", b -> {});
        refused("GGUF version 1", b -> header(b, 1, 0, 0));
        refused("big-endian", b -> header(b, 3 << 24, 0, 0));
        refused("claims 1099511627776 tensors", b -> header(b, 3, 1L << 40, 0));
        refused("claims 18446744073709551615 metadata entries", b -> header(b, 3, 0, -1));
        refused("within a key", b -> {
            header(b, 3, 0, 1);
            b.putLong(1000).putLong(0);
        });
        refused("a key claims to be 1152921504606846976 bytes", b -> {
            header(b, 3, 0, 1);
            b.putLong(1L << 60).putLong(0);
        });
        refused("a key at byte 32 is not valid UTF-8", b -> {
            header(b, 3, 0, 1);
            b.putLong(1).put((byte) 0xff).putLong(0);
        });
        refused("unknown type 77", b -> entry(b, 77).putLong(0));
        refused("neither true nor false", b -> entry(b, 7).put((byte) 2));
        refused(
                "neither true nor false",
                b -> entry(b, 9).putInt(7).putLong(2).put((byte) 1).put((byte) 9));
        refused("claims 536870911 values of 'k'", b -> entry(b, 9).putInt(4).putLong(536870911));
        refused(
                "claims 4611686018427387904 values of 'k'",
                b -> entry(b, 9).putInt(8).putLong(1L << 62));
        refused("'k' twice", b -> {
            header(b, 3, 0, 2);
            text(b, "k");
            b.putInt(0).put((byte) 1);
            text(b, "k");
            b.putInt(0).put((byte) 1);
        });
        for (long alignment : new long[] {0, 3, 1L << 31}) {
            refused("alignment is " + alignment, b -> {
                header(b, 3, 0, 1);
                text(b, "general.alignment");
                b.putInt(10).putLong(alignment);
            });
        }
        refused("9 dimensions", b -> {
            header(b, 3, 1, 0);
            text(b, "t");
            b.putInt(9).put(new byte[100]);
        });
        refused("larger than any memory", b -> tensorFile(b, 0, 0, 1L << 32, 1L << 32));
        refused("larger than any memory", b -> tensorFile(b, 0, 0, 1L << 62));
        refused("larger than any memory", b -> tensorFile(b, 0, Long.MAX_VALUE - 1, 8));
        refused("the size 18446744073709551615", b -> tensorFile(b, 0, 0, -1));
        refused("rows of 33 weights, no multiple of Q4_0's", b -> tensorFile(b, 2, 0, 33));
        refused("lies at bytes 0 to 400 of 36", b -> tensorFile(b, 0, 0, 100));
        refused("lies at bytes 8 to 12 of 36", b -> tensorFile(b, 0, 8, 1));
        refused("lies at bytes 18446744073709551584", b -> tensorFile(b, 0, -32, 1));
        refused("overlaps", b -> {
            header(b, 3, 2, 0);
            tensor(b, "a", 0, 0, 9);
            tensor(b, "b", 0, 32, 1);
            pad(b);
            b.put(new byte[36]);
        });
        refused("the tensor 'a' twice", b -> {
            header(b, 3, 2, 0);
            tensor(b, "a", 0, 0, 1);
            tensor(b, "a", 0, 32, 1);
        });
    }

    @Test
    void aTruncatedFileIsRefusedAtEveryLength() throws IOException {
        byte[] whole = Files.readAllBytes(GOLDEN);
        Path path = dir.resolve("x.gguf");
        for (int length = 0; length < whole.length - 64; length++) {
            Files.write(path, Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> GgufFile.open(path)).isInstanceOf(InputException.class);
        }
    }

    private void refused(String reason, Consumer<ByteBuffer> content) throws IOException {
        Path path = write(content);
        assertThatThrownBy(() -> GgufFile.open(path))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(path.toString())
                .hasMessageContaining(reason);
    }

    private Path write(Consumer<ByteBuffer> content) throws IOException {
        ByteBuffer b = ByteBuffer.allocate(1000).order(ByteOrder.LITTLE_ENDIAN);
        content.accept(b);
        return Files.write(dir.resolve("x.gguf"), Arrays.copyOf(b.array(), b.position()));
    }

    private static void header(ByteBuffer b, int version, long tensors, long entries) {
        b.put("GGUF".getBytes(StandardCharsets.US_ASCII))
                .putInt(version)
                .putLong(tensors)
                .putLong(entries);
    }

    private static void text(ByteBuffer b, String s) {
        byte[] utf8 = s.getBytes(StandardCharsets.UTF_8);
        b.putLong(utf8.length).put(utf8);
    }

    private static ByteBuffer entry(ByteBuffer b, int type) {
        header(b, 3, 0, 1);
        text(b, "k");
        return b.putInt(type);
    }

    private static void tensor(ByteBuffer b, String name, int type, long offset, long... sizes) {
        text(b, name);
        b.putInt(sizes.length);
        Arrays.stream(sizes).forEach(b::putLong);
        b.putInt(type).putLong(offset);
    }

    private static void tensorFile(ByteBuffer b, int type, long offset, long... sizes) {
        header(b, 3, 1, 0);
        tensor(b, "t", type, offset, sizes);
        pad(b);
        b.put(new byte[36]);
    }

    private static void pad(ByteBuffer b) {
        b.position((b.position() + 31) / 32 * 32);
    }

    private static int[] bits(float[] values) {
        int[] bits = new int[values.length];
        for (int i = 0; i < bits.length; i++) {
            bits[i] = Float.floatToRawIntBits(values[i]);
        }
        return bits;
    }

    private static int[] ints(MemorySegment data) {
        return data.toArray(ValueLayout.JAVA_INT_UNALIGNED);
    }
}
