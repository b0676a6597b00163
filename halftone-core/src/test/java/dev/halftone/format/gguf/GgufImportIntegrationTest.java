package dev.halftone.format.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.Golden;
import dev.halftone.TestModels;
import dev.halftone.format.Json;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.quant.GgufGrid;
import dev.halftone.quant.GgufLattice;
import dev.halftone.quant.Oracle.Codes;
import dev.halftone.tokenizer.Tokenizer;
import dev.halftone.tokenizer.Tokenizers;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/// The real SmolLM2-135M-Instruct, where `scripts/fetch-test-models.sh` has fetched it.
@Tag("integration")
class GgufImportIntegrationTest {
    private static Path smolLm2;

    private @TempDir Path dir;

    @BeforeAll
    static void findTheModel() {
        smolLm2 = TestModels.smolLm2();
    }

    @Test
    void blocksThatLlamaCppWroteQuantizeToThemselves() {
        try (GgufFile file = GgufFile.open(smolLm2)) {
            file.tensors().forEach((name, tensor) -> {
                if (!tensor.typeName().equals("F32")) {
                    GgufLattice lattice = GgufLattice.valueOf(tensor.typeName());
                    float[] values = file.dequantize(name);
                    Codes q = new GgufGrid(lattice, DType.F32).oracle().quantize(values, values.length);
                    MemorySegment blocks = MemorySegment.ofArray(LatticeBlocks.pack(q, lattice));
                    assertThat(blocks.mismatch(file.data(name))).as(name).isEqualTo(-1);
                }
            });
        }
    }

    /// The digests are of what transformers 5.23 reads from the same file, rounded by torch, tensor by tensor in
    /// the order of their names.
    @ParameterizedTest
    @CsvSource({
        "BF16, 5d9bacfb6e704b2142088ab0e2548bc0de0a6b3a3179fcde6595ff2a6b30c1ec",
        "F32, 1e7c8a1c726e693f3ef812fec44c0efdf79020fe1e36d5cd8a07e0341da3e3aa",
    })
    void weightsAreThoseThatTransformersReads(DType dtype, String sha256) throws NoSuchAlgorithmException {
        GgufImport.Summary summary = GgufImport.run(smolLm2, dir.resolve("out"), dtype, false);
        assertThat(summary.parameters()).isEqualTo(134_515_008);
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        try (HfFolder folder = HfFolder.open(dir.resolve("out"))) {
            assertThat(folder.tensorNames()).hasSize(272).doesNotContain("lm_head.weight");
            for (String name : new TreeSet<>(folder.tensorNames())) {
                digest.update(folder.data(name).asByteBuffer());
            }
        }
        assertThat(HexFormat.of().formatHex(digest.digest())).isEqualTo(sha256);
    }

    @Test
    void idsAreThoseOfTransformers() {
        GgufImport.run(smolLm2, dir.resolve("out"), DType.BF16, false);
        Tokenizer tokenizer = Tokenizers.load(dir.resolve("out"));
        assertThat(tokenizer.vocabSize()).isEqualTo(49152);
        assertThat(tokenizer.bosId()).hasValue(1);
        assertThat(tokenizer.eosIds()).containsExactly(2);
        for (JsonNode c : Json.readObject(Golden.path("tokenizer/smollm2/cases.json"))
                .path("cases")
                .values()) {
            int[] ids =
                    c.path("ids").values().stream().mapToInt(JsonNode::asInt).toArray();
            String text = c.path("text").asString();
            assertThat(tokenizer.encode(text, false)).as(text).isEqualTo(ids);
            assertThat(tokenizer.encode(text, true)).as(text).isEqualTo(ids);
            assertThat(tokenizer.decode(ids, false)).isEqualTo(c.path("decoded").asString());
        }
    }
}
