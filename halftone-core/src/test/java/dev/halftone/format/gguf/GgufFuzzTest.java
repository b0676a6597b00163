package dev.halftone.format.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.Golden;
import dev.halftone.format.MappedFile;
import dev.halftone.format.Mutations;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class GgufFuzzTest {
    @Test
    void aDamagedFileIsReadOrRefusedAtLittleCost() throws IOException {
        byte[] valid = Files.readAllBytes(Golden.path("gguf/metadata.gguf"));
        int read = Mutations.parseAll(valid, 832, 5000, 1, GgufFuzzTest::readAll);
        assertThat(read).isBetween(20, 4000);
    }

    @Test
    void aDamagedModelIsUnderstoodOrRefusedAtLittleCost() throws IOException {
        byte[] valid = Files.readAllBytes(Golden.path("gguf/tiny_llama.gguf"));
        int data = valid.length
                - (int) new GgufReader(Path.of("tiny"), MemorySegment.ofArray(valid))
                        .read()
                        .data()
                        .byteSize();
        int read = Mutations.parseAll(valid, data, 3000, 1, mapped -> {
            GgufFile file = readAll(mapped);
            GgufModel model = new GgufModel(file);
            model.slots();
            model.config(DType.BF16);
            model.generationConfig();
            new GgufTokenizer(file.metadata(), model.vocab());
        });
        assertThat(read).isBetween(20, 2500);
    }

    private static GgufFile readAll(MappedFile mapped) {
        GgufFile file = GgufFile.parse(mapped);
        file.metadata().values().values().forEach(v -> assertThat(v).isNotNull());
        for (GgufTensor tensor : file.tensors().values()) {
            assertThat(file.data(tensor.name()).byteSize()).isEqualTo(tensor.bytes());
            if (tensor.type().flatMap(GgmlType::decoder).isPresent()) {
                assertThat(file.dequantize(tensor.name())).hasSize((int) tensor.elements());
            }
        }
        return file;
    }
}
