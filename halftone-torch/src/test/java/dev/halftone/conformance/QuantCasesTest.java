package dev.halftone.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.Golden;
import dev.halftone.InputException;
import dev.halftone.conformance.CaseResult.Status;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.kernel.Kernels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class QuantCasesTest {
    private static final String FILE = "01_int8da_intx_weight.safetensors";

    @TempDir
    Path folder;

    @ParameterizedTest
    @EnumSource(Kernels.class)
    void everyCaseIsComputedAsItsLibraryDoes(Kernels kernels) {
        ConformanceReport report = Conformance.run(Golden.path("quant"), kernels);
        assertThat(report.cases()).filteredOn(c -> c.status() == Status.DIFFERS).isEmpty();
        assertThat(report.cases())
                .filteredOn(c -> c.status() == Status.UNSUPPORTED)
                .singleElement()
                .satisfies(c -> assertThat(c.detail()).contains("pack_fp4_to_uint8"));
        assertThat(report.passed()).isEqualTo(report.cases().size() - 1).isGreaterThan(96);
    }

    @Test
    void aChangedBitDiffers() throws IOException {
        copy();
        Path file = folder.resolve(FILE);
        byte[] bytes = Files.readAllBytes(file);
        String name = "8da_intx.w.int4.g32.bf16";
        try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
            long header = file.toFile().length()
                    - tensors.tensors().values().stream()
                            .mapToLong(t -> t.end())
                            .max()
                            .orElseThrow();
            bytes[(int) (header + tensors.info(name + "/w_fq").begin())] ^= 1;
        }
        Files.write(file, bytes);
        ConformanceReport report = Conformance.run(folder, null);
        assertThat(report.failed()).isOne();
        assertThat(report.cases())
                .filteredOn(c -> c.status() == Status.DIFFERS)
                .singleElement()
                .satisfies(c -> {
                    assertThat(c.name()).isEqualTo(name);
                    assertThat(c.detail()).startsWith("w_fq differs in 1 of ");
                    assertThat(c.maxError()).isPositive();
                });
        assertThat(report.toJson().path("failed").asInt()).isOne();
        assertThat(report.toJson().path("cases").size())
                .isEqualTo(report.cases().size());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"clamp_gradient\":\"open\" | \"clamp_gradient\":\"half\" | clamp_gradient",
                "\"cases\":[ | \"cases\":3,\"other\":[ | lists no cases",
                "01_int8da_intx_weight.safetensors | missing.safetensors | missing.safetensors",
                "01_int8da_intx_weight.safetensors | ../x.safetensors | not the name of a file",
                "\"key\":\"8da_intx.w.int4.g32.f32/w\" | \"key\":\"nothing\" | has no tensor 'nothing'",
                "\"shape\":[12,96] | \"shape\":[12,95] | which the index says otherwise",
                "\"group_size\":32 | \"group_size\":31 | groups of 31 do not divide",
                "\"bits\":4 | \"bits\":\"four\" | params.bits",
                "\"tensors\":{ | \"tensors\":{},\"others\":{ | no tensors",
                "\"schema\" | schema | not valid JSON",
            })
    void aFolderThatIsNotWholeIsRefused(String text, String replacement, String message) throws IOException {
        copy();
        Path index = folder.resolve("index.json");
        String json = Files.readString(index);
        assertThat(json).contains(text);
        Files.writeString(index, json.replaceFirst(Pattern.quote(text), replacement));
        assertThatThrownBy(() -> Conformance.run(folder, null))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }

    @Test
    void aFolderWithoutCasesIsRefused() {
        assertThatThrownBy(() -> Conformance.run(folder, null)).isInstanceOf(InputException.class);
        assertThatThrownBy(() -> Conformance.run(folder.resolve("none"), null))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("is not a folder");
    }

    @Test
    void aRoleOrToleranceThatIsNewIsNotPassed() throws IOException {
        copy();
        Path index = folder.resolve("index.json");
        String json = Files.readString(index);
        Files.writeString(
                index,
                json.replaceFirst("\"w_fq\":", "\"w_new\":")
                        .replace("\"1 ulp on rows looked up more than once\"", "\"more or less\""));
        List<CaseResult> unsupported = Conformance.run(folder, null).cases().stream()
                .filter(c -> c.status() == Status.UNSUPPORTED)
                .toList();
        assertThat(unsupported).extracting(CaseResult::detail).anyMatch(d -> d.contains("'w_new'"));
        assertThat(unsupported).extracting(CaseResult::detail).anyMatch(d -> d.contains("tolerance of 'grad_w'"));
    }

    private void copy() throws IOException {
        try (Stream<Path> files = Files.list(Golden.path("quant"))) {
            for (Path file : files.toList()) {
                Files.copy(file, folder.resolve(file.getFileName().toString()));
            }
        }
    }
}
