package dev.halftone.format.safetensors;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.Golden;
import dev.halftone.format.MappedFile;
import dev.halftone.format.Mutations;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsFuzzTest {
    @ParameterizedTest
    @ValueSource(strings = {"safetensors/every_dtype.safetensors", "gguf/metadata.safetensors"})
    void aDamagedFileIsReadOrRefusedAtLittleCost(String name) throws IOException {
        byte[] valid = Files.readAllBytes(Golden.path(name));
        int header =
                8 + (int) ByteBuffer.wrap(valid).order(ByteOrder.LITTLE_ENDIAN).getLong();
        int read = Mutations.parseAll(valid, header, 5000, 1, SafetensorsFuzzTest::readAll);
        assertThat(read).isBetween(20, 4000);
    }

    private static void readAll(MappedFile mapped) {
        SafetensorsFile file = SafetensorsFile.parse(mapped);
        long bytes = 0;
        for (TensorInfo info : file.tensors().values()) {
            long n = info.dtype().bytes();
            for (long size : info.shape()) {
                n *= size;
            }
            assertThat(file.data(info.name()).byteSize()).isEqualTo(n);
            bytes += n;
        }
        assertThat(bytes).isLessThan(mapped.bytes().byteSize());
    }
}
