package dev.halftone.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.Golden;
import dev.halftone.InputException;
import dev.halftone.RunException;
import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizersTest {
    @TempDir
    private Path folder;

    @Test
    void missingTokenizerIsTheUsersMistake() {
        assertThatThrownBy(() -> Tokenizers.load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("has no tokenizer.json");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{",
                "[]",
                "{}",
                "\0\1\2",
                "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}",
                "{\"model\":{\"type\":\"Nonsense\",\"vocab\":{\"a\":0},\"merges\":[]}}"
            })
    void corruptTokenizerIsTheUsersMistake(String content) throws IOException {
        Files.writeString(folder.resolve("tokenizer.json"), content);
        assertThatThrownBy(() -> Tokenizers.load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("tokenizer.json");
    }

    @Test
    void truncatedTokenizerIsTheUsersMistake() throws IOException {
        String whole = Files.readString(Golden.path("tokenizer/bytelevel_gpt2").resolve("tokenizer.json"));
        Files.writeString(folder.resolve("tokenizer.json"), whole.substring(0, whole.length() / 2));
        assertThatThrownBy(() -> Tokenizers.load(folder)).isInstanceOf(InputException.class);
    }

    @Test
    void beginAndEndComeFromTheFilesBesideIt() throws IOException {
        Files.copy(Golden.path("tokenizer/bytelevel_gpt2").resolve("tokenizer.json"), folder.resolve("tokenizer.json"));
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"eos_token\": {\"content\": \"<|im_end|>\"}}");
        Files.writeString(
                folder.resolve("special_tokens_map.json"), "{\"bos_token\": \"<|im_start|>\", \"eos_token\": \"x\"}");
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": [0, 2], \"bos_token_id\": 0}");
        Files.writeString(folder.resolve("config.json"), "{\"eos_token_id\": 7}");
        try (Tokenizer tokenizer = Tokenizers.load(folder)) {
            assertThat(tokenizer.bosId()).hasValue(1);
            assertThat(tokenizer.eosId()).hasValue(2);
            assertThat(tokenizer.eosIds()).containsExactly(2, 0);
        }
    }

    @Test
    void idsAloneAreEnoughAndSoIsNothing() throws IOException {
        Files.copy(Golden.path("tokenizer/bytelevel_gpt2").resolve("tokenizer.json"), folder.resolve("tokenizer.json"));
        try (Tokenizer tokenizer = Tokenizers.load(folder)) {
            assertThat(tokenizer.bosId()).isEmpty();
            assertThat(tokenizer.eosId()).isEmpty();
            assertThat(tokenizer.eosIds()).isEmpty();
        }
        Files.writeString(folder.resolve("config.json"), "{\"eos_token_id\": 7, \"bos_token_id\": null}");
        try (Tokenizer tokenizer = Tokenizers.load(folder)) {
            assertThat(tokenizer.bosId()).isEmpty();
            assertThat(tokenizer.eosId()).hasValue(7);
        }
    }

    @Test
    void wrongTokenIdNamesFileAndKey() throws IOException {
        Files.copy(Golden.path("tokenizer/bytelevel_gpt2").resolve("tokenizer.json"), folder.resolve("tokenizer.json"));
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": \"two\"}");
        assertThatThrownBy(() -> Tokenizers.load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("generation_config.json")
                .hasMessageContaining("eos_token_id");
    }

    @Test
    void loneSurrogatesAndZerosSurviveTheNativeBoundary() {
        try (Tokenizer tokenizer = Tokenizers.load(Golden.path("tokenizer/bytelevel_gpt2"))) {
            assertThat(tokenizer.decode(tokenizer.encode("a\0b", false), false)).isEqualTo("a\0b");
            assertThat(tokenizer.decode(tokenizer.encode("a\uD83Db\uDE00", false), false))
                    .isEqualTo("a\uFFFDb\uFFFD");
            assertThat(tokenizer.encodeWithOffsets("\uD83D", false).ends()).containsOnly(1);
        }
    }

    @Test
    void idsOutsideTheVocabularyGiveNoText() {
        try (Tokenizer tokenizer = Tokenizers.load(Golden.path("tokenizer/bytelevel_gpt2"))) {
            int[] hi = tokenizer.encode("Hi", false);
            int[] padded = Arrays.copyOf(hi, hi.length + 1);
            padded[hi.length] = 100_000;
            assertThat(tokenizer.decode(padded, false)).isEqualTo("Hi");
        }
    }

    @Test
    void longTextsAreNeitherCutNorPadded() {
        try (Tokenizer tokenizer = Tokenizers.load(Golden.path("tokenizer/bytelevel_gpt2"))) {
            String text = "a b ".repeat(5000);
            assertThat(tokenizer.decode(tokenizer.encode(text, true), false)).isEqualTo(text);
        }
    }

    @Test
    void manyThreadsShareOneTokenizer() throws Exception {
        try (Tokenizer tokenizer = Tokenizers.load(Golden.path("tokenizer/bytelevel_llama3"));
                ExecutorService threads = Executors.newFixedThreadPool(4)) {
            int[] expected = tokenizer.encode("The quick brown fox, 12345 times.", true);
            Callable<int[]> task = () -> {
                int[] ids = expected;
                for (int i = 0; i < 200; i++) {
                    ids = tokenizer.encode("The quick brown fox, 12345 times.", true);
                }
                return ids;
            };
            List<Future<int[]>> results = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                results.add(threads.submit(task));
            }
            for (Future<int[]> result : results) {
                assertThat(result.get()).isEqualTo(expected);
            }
        }
    }

    @Test
    void closedTokenizerRefusesToWork() {
        Tokenizer tokenizer = Tokenizers.load(Golden.path("tokenizer/bytelevel_gpt2"));
        tokenizer.close();
        tokenizer.close();
        assertThatThrownBy(() -> tokenizer.encode("a", false)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> tokenizer.decode(new int[] {1}, false)).isInstanceOf(IllegalStateException.class);
    }

    /// DJL reads its switches when its classes are initialised. A class loader of our own sees each class before
    /// that.
    @Test
    void telemetryIsOffBeforeTheFirstClassOfTheLibraryIsLoaded() throws Exception {
        try (OwnCopies loader = new OwnCopies(folder.resolve("cache"))) {
            ((AutoCloseable) loader.loadTokenizer()).close();
            assertThat(loader.seen).contains("ai.djl.huggingface.tokenizers.jni.LibUtils");
            assertThat(loader.early).isEmpty();
            Class<?> utils = loader.loadClass("ai.djl.util.Utils");
            assertThat(utils.getMethod("isOfflineMode").invoke(null)).isEqualTo(true);
        }
    }

    @Test
    void aLibraryThatCannotBeUnpackedIsNotTheFilesFault() throws Exception {
        Path file = Files.writeString(folder.resolve("file"), "no folder");
        try (OwnCopies loader = new OwnCopies(file.resolve("cache"))) {
            assertThatThrownBy(loader::loadTokenizer)
                    .cause()
                    .hasMessageContaining("DJL_CACHE_DIR")
                    .extracting(e -> e.getClass().getName())
                    .isEqualTo(RunException.class.getName());
        }
    }

    /// Loads our classes and the library's anew, with properties as they are when a program starts.
    private static final class OwnCopies extends URLClassLoader {
        private static final List<String> PROPERTIES = List.of("ai.djl.offline", "OPT_OUT_TRACKING", "DJL_CACHE_DIR");

        private final Map<String, String> saved = new HashMap<>();
        private final List<String> seen = new ArrayList<>();
        private final List<String> early = new ArrayList<>();

        /// @param cache where the native library is unpacked: a second class loader needs a second copy of it
        OwnCopies(Path cache) {
            super(classPath(), TokenizersTest.class.getClassLoader());
            for (String property : PROPERTIES) {
                saved.put(property, System.getProperty(property));
                System.clearProperty(property);
            }
            System.setProperty("DJL_CACHE_DIR", cache.toString());
        }

        Object loadTokenizer() throws ReflectiveOperationException {
            return loadClass("dev.halftone.tokenizer.Tokenizers")
                    .getMethod("load", Path.class)
                    .invoke(null, Golden.path("tokenizer/bytelevel_gpt2"));
        }

        @Override
        public void close() throws IOException {
            saved.forEach((property, value) -> {
                if (value == null) {
                    System.clearProperty(property);
                } else {
                    System.setProperty(property, value);
                }
            });
            super.close();
        }

        private static URL[] classPath() {
            List<URL> urls = new ArrayList<>();
            for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
                try {
                    urls.add(Path.of(entry).toUri().toURL());
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
            }
            return urls.toArray(URL[]::new);
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith("ai.djl.") && !name.startsWith("dev.halftone.")) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                if (name.startsWith("ai.djl.")) {
                    seen.add(name);
                    if (!"true".equals(System.getProperty("ai.djl.offline"))
                            || !"true".equals(System.getProperty("OPT_OUT_TRACKING"))) {
                        early.add(name);
                    }
                }
                Class<?> loaded = findLoadedClass(name);
                return loaded != null ? loaded : findClass(name);
            }
        }
    }
}
