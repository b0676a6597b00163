package dev.halftone.format.hf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.Golden;
import dev.halftone.InputException;
import dev.halftone.format.Json;
import dev.halftone.format.safetensors.SafetensorsWriter;
import dev.halftone.format.safetensors.SafetensorsWriter.Entry;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

class HfTest {
    private static final Path TIED = Golden.path("hf/llama_tied");

    private @TempDir Path dir;

    @Test
    void readsAFolderOfTransformers() {
        try (HfFolder folder = HfFolder.open(TIED)) {
            assertThat(folder.config().path("model_type").asString()).isEqualTo("llama");
            assertThat(folder.tensorNames()).hasSize(20).contains("model.embed_tokens.weight");
            assertThat(folder.has("lm_head.weight")).isFalse();
            assertThat(folder.info("model.layers.1.self_attn.k_proj.weight").shape())
                    .containsExactly(16, 32);
            assertThat(folder.file("model.norm.weight")).hasFileName("model.safetensors");
            assertThatThrownBy(() -> folder.data("lm_head.weight"))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("no tensor 'lm_head.weight'");
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 20_000, HfWriter.DEFAULT_SHARD_BYTES})
    void whatIsWrittenReadsBackWithAnyShardSize(long maxShardBytes) throws IOException {
        Path out = dir.resolve("model");
        copy(TIED, out, maxShardBytes, false);
        try (HfFolder a = HfFolder.open(TIED);
                HfFolder b = HfFolder.open(out)) {
            assertThat(b.config()).isEqualTo(a.config());
            assertThat(b.tensorNames()).containsExactlyInAnyOrderElementsOf(a.tensorNames());
            for (String name : a.tensorNames()) {
                assertThat(b.info(name).shape()).isEqualTo(a.info(name).shape());
                assertThat(a.data(name).mismatch(b.data(name))).isEqualTo(-1);
            }
            assertThat(b.files().size()).isEqualTo(maxShardBytes == 1 ? 20 : maxShardBytes == 20_000 ? 6 : 1);
        }
        if (maxShardBytes == 20_000) {
            ObjectNode index = Json.readObject(out.resolve("model.safetensors.index.json"));
            assertThat(index.at("/metadata/total_size").asLong()).isEqualTo(107136);
            assertThat(index.at("/weight_map").size()).isEqualTo(20);
            assertThat(index.at("/weight_map/model.norm.weight").asString())
                    .isEqualTo("model-00006-of-00006.safetensors");
            assertThat(Files.exists(out.resolve("model.safetensors"))).isFalse();
        }
    }

    @Test
    void aFolderIsReplacedOnlyWhenToldAndOnlyIfItIsAModel() throws IOException {
        Path out = dir.resolve("model");
        copy(TIED, out, Long.MAX_VALUE, false);
        Files.writeString(out.resolve("tokenizer.json"), "{}");
        assertThatThrownBy(() -> copy(TIED, out, Long.MAX_VALUE, false))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("not empty");

        copy(TIED, out, 20_000, true);
        assertThat(out.resolve("tokenizer.json")).doesNotExist();
        assertThat(out.resolve("model.safetensors")).doesNotExist();
        try (HfFolder folder = HfFolder.open(out)) {
            assertThat(folder.files()).hasSize(6);
        }

        Path home = Files.createDirectory(dir.resolve("home"));
        Files.writeString(home.resolve("diary"), "…");
        assertThatThrownBy(() -> copy(TIED, home, Long.MAX_VALUE, true)).isInstanceOf(InputException.class);
        assertThat(home.resolve("diary")).exists();
    }

    @Test
    void sideFilesComeAlong() throws IOException {
        Path from = Files.createDirectory(dir.resolve("from"));
        for (String name : List.of("tokenizer.json", "chat_template.jinja", "generation_config.json", "optimizer.pt")) {
            Files.writeString(from.resolve(name), name);
        }
        Path out = dir.resolve("out");
        HfWriter.write(out, Json.object(), List.of(), Long.MAX_VALUE, from, false);
        try (Stream<Path> files = Files.list(out)) {
            assertThat(files.map(p -> p.getFileName().toString()))
                    .containsExactlyInAnyOrder(
                            "config.json",
                            "model.safetensors",
                            "tokenizer.json",
                            "chat_template.jinja",
                            "generation_config.json");
        }
    }

    @Test
    void whatIsMissingIsNamed() throws IOException {
        assertThatThrownBy(() -> HfFolder.open(dir.resolve("none")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("is not a folder");
        assertThatThrownBy(() -> HfFolder.open(dir))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("no config.json");
        Files.writeString(dir.resolve("config.json"), "{\n\"a\": 1,\n}");
        assertThatThrownBy(() -> HfFolder.open(dir))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("config.json, line 3");
        Files.writeString(dir.resolve("config.json"), "[]");
        assertThatThrownBy(() -> HfFolder.open(dir))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("JSON object");
        Files.writeString(dir.resolve("config.json"), "{}");
        assertThatThrownBy(() -> HfFolder.open(dir))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("no model.safetensors");
    }

    @Test
    void anIndexThatLiesIsRefused() throws IOException {
        Files.writeString(dir.resolve("config.json"), "{}");
        Entry a = new Entry("a", DType.F32, new long[] {1}, () -> MemorySegment.ofArray(new float[1]));
        SafetensorsWriter.write(dir.resolve("s1.safetensors"), Map.of(), List.of(a));

        refused("{}", "no `weight_map`");
        refused("{'weight_map': {'a': 's1.safetensors', 'b': 's2.safetensors'}}", "s2.safetensors, which is missing");
        refused("{'weight_map': {'a': 's1.safetensors', 'b': 's1.safetensors'}}", "does not hold the tensor 'b'");
        refused("{'weight_map': {'a': '../s1.safetensors'}}", "no safetensors file's name");
        refused("{'weight_map': {'a': 1}}", "no safetensors file's name");
        SafetensorsWriter.write(dir.resolve("s2.safetensors"), Map.of(), List.of(a));
        refused(
                "{'weight_map': {'a': 's1.safetensors', 'b': 's2.safetensors'}}",
                "'a', which it places in s1.safetensors");
    }

    private void refused(String index, String reason) throws IOException {
        Files.writeString(dir.resolve("model.safetensors.index.json"), index.replace('\'', '"'));
        assertThatThrownBy(() -> HfFolder.open(dir))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("index.json")
                .hasMessageContaining(reason);
    }

    private static void copy(Path from, Path to, long maxShardBytes, boolean replace) {
        try (HfFolder folder = HfFolder.open(from)) {
            List<Entry> entries = new ArrayList<>();
            for (String name : folder.tensorNames()) {
                var info = folder.info(name);
                byte[] bytes = folder.data(name).toArray(ValueLayout.JAVA_BYTE);
                entries.add(new Entry(name, info.dtype(), info.shape(), () -> MemorySegment.ofArray(bytes)));
            }
            HfWriter.write(to, folder.config(), entries, maxShardBytes, null, replace);
        }
    }
}
