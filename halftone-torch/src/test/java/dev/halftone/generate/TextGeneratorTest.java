package dev.halftone.generate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.format.Json;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Models;
import dev.halftone.tokenizer.Encoding;
import dev.halftone.tokenizer.Tokenizer;
import dev.halftone.torch.Device;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.Test;

class TextGeneratorTest {
    /// A letter a token.
    private static final class Letters implements Tokenizer {
        @Override
        public Encoding encodeWithOffsets(String text, boolean addSpecialTokens) {
            throw new UnsupportedOperationException();
        }

        @Override
        public String decode(int[] ids, boolean skipSpecialTokens) {
            StringBuilder text = new StringBuilder();
            for (int id : ids) {
                text.append((char) ('a' + id % 26));
            }
            return text.toString();
        }

        @Override
        public int vocabSize() {
            return 64;
        }

        @Override
        public OptionalInt bosId() {
            return OptionalInt.empty();
        }

        @Override
        public OptionalInt eosId() {
            return OptionalInt.empty();
        }

        @Override
        public Set<Integer> eosIds() {
            return Set.of();
        }

        @Override
        public boolean isByte(int id) {
            return false;
        }

        @Override
        public void close() {}
    }

    @Test
    void thePiecesTogetherAreTheTextOfTheTokens() {
        CausalLm model = Models.initialise(
                Json.object()
                        .put("model_type", "llama")
                        .put("vocab_size", 64)
                        .put("hidden_size", 16)
                        .put("intermediate_size", 32)
                        .put("num_hidden_layers", 1)
                        .put("num_attention_heads", 2),
                3,
                DType.F32,
                Device.CPU);
        Letters letters = new Letters();
        Generator generator = new Generator(model, new Sampling(1, Sampling.ALL, 1, 7), Set.of());
        List<String> pieces = new ArrayList<>();
        Generation generation = new TextGenerator(generator, letters).generate(new int[] {1, 2, 3}, 20, pieces::add);
        assertThat(generation.tokens()).hasSize(20);
        assertThat(pieces).hasSizeGreaterThan(1).doesNotContain("");
        assertThat(String.join("", pieces)).isEqualTo(letters.decode(generation.tokens(), true));
    }
}
