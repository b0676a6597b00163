package dev.halftone.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Models;
import dev.halftone.torch.Device;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.Test;

class GeneratorTest {
    private static final Path FOLDER = golden();
    private final CausalLm model = Models.load(FOLDER, DType.F32, Device.CPU);
    private final int[] prompt = Arrays.copyOf(golden("input_ids"), 24);

    private static Path golden() {
        try {
            return Path.of(GeneratorTest.class
                            .getResource("/golden/hf/llama_gqa/config.json")
                            .toURI())
                    .getParent();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private static int[] golden(String name) {
        try (SafetensorsFile io = SafetensorsFile.open(FOLDER.resolve("io.safetensors"));
                Scope _ = Scope.open()) {
            long[] values =
                    Torch.longs(Torch.of(io.data(name), DType.I64, io.info(name).shape()));
            return Arrays.stream(values).mapToInt(Math::toIntExact).toArray();
        }
    }

    @Test
    void greedyTokensAreThoseOfTransformersAndArriveOneByOne() {
        int[] expected = golden("greedy");
        List<Integer> streamed = new ArrayList<>();
        Generation generation =
                new Generator(model, Sampling.GREEDY, Set.of()).generate(prompt, expected.length, streamed::add);
        assertThat(generation.tokens()).containsExactly(expected);
        assertThat(streamed)
                .containsExactlyElementsOf(Arrays.stream(expected).boxed().toList());
        assertThat(generation.ended()).isFalse();
        assertThat(generation.tokensPerSecond()).isPositive();
    }

    @Test
    void itStopsBeforeATokenThatEnds() {
        int[] expected = golden("greedy");
        Generation generation =
                new Generator(model, Sampling.GREEDY, Set.of(expected[3])).generate(prompt, 50, token -> {});
        assertThat(generation.ended()).isTrue();
        assertThat(generation.tokens()).containsExactly(Arrays.copyOf(expected, 3));
    }

    @Test
    void itStopsWhereTheContextIsFull() {
        Generation generation = new Generator(model, Sampling.GREEDY, Set.of()).generate(prompt, 1000, token -> {});
        assertThat(generation.tokens()).hasSize(model.config().maxPositions() - prompt.length);
    }

    @Test
    void theSameSeedGivesTheSameTokensAlsoInBfloat16() {
        CausalLm bf16 = Models.load(FOLDER, DType.BF16, Device.CPU);
        for (CausalLm m : List.of(model, bf16)) {
            Generator generator = new Generator(m, new Sampling(0.8, 50, 0.9, 4), Set.of());
            int[] first = generator.generate(prompt, 30, token -> {}).tokens();
            assertThat(generator.generate(prompt, 30, token -> {}).tokens()).containsExactly(first);
            int[] other = new Generator(m, new Sampling(0.8, 50, 0.9, 5), Set.of())
                    .generate(prompt, 30, token -> {})
                    .tokens();
            assertThat(other).isNotEqualTo(first);
        }
    }

    @Test
    void nativeMemoryStaysFlatOverManySteps() {
        Generator generator = new Generator(model, Sampling.GREEDY, Set.of());
        generator.generate(prompt, 10, token -> {});
        long pointers = Pointer.totalCount();
        long bytes = Pointer.physicalBytes();
        generator.generate(prompt, 60, token -> {});
        assertThat(Pointer.totalCount()).isLessThanOrEqualTo(pointers);
        assertThat(Pointer.physicalBytes() - bytes).isLessThan(32L << 20);
    }

    @Test
    void aPromptThatIsEmptyOrTooLongOrOfAnotherVocabularyIsRefused() {
        Generator generator = new Generator(model, Sampling.GREEDY, Set.of());
        assertThatThrownBy(() -> generator.generate(new int[0], 5, token -> {})).isInstanceOf(InputException.class);
        assertThatThrownBy(() -> generator.generate(new int[128], 5, token -> {}))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("128");
        assertThatThrownBy(() -> generator.generate(new int[] {256}, 5, token -> {}))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("256");
    }
}
