package dev.halftone.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.Golden;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class PackingTest {
    static Stream<Arguments> torchtune() {
        return JsonMapper.shared()
                .readTree(Golden.path("data").resolve("torchtune.json"))
                .get("packing")
                .valueStream()
                .map(c -> Arguments.of(c.get("length").asInt(), c.get("split").asBoolean(), c));
    }

    @ParameterizedTest(name = "rows of {0}, split {1}")
    @MethodSource("torchtune")
    void packsAsTorchtune(int length, boolean split, JsonNode golden) {
        List<Sample> samples = golden.get("samples")
                .valueStream()
                .map(s -> new Sample(ints(s.get("tokens")), ints(s.get("labels"))))
                .toList();
        Dataset packed = Packing.pack(Dataset.of(samples), length, split);
        assertThat(packed.size()).isEqualTo(golden.get("rows").size());
        for (int i = 0; i < packed.size(); i++) {
            Sample row = packed.get(i);
            JsonNode expected = golden.get("rows").get(i);
            assertThat(row.inputIds()).isEqualTo(ints(expected.get("tokens")));
            assertThat(withPadding(row)).isEqualTo(ints(expected.get("seq_lens")));
            int[] labels = ints(expected.get("labels"));
            documentStarts(row).forEach(start -> labels[start] = Sample.IGNORED);
            assertThat(row.labels()).isEqualTo(labels);
        }
    }

    private static int[] withPadding(Sample row) {
        int padding = row.length() - IntStream.of(row.documentLengths()).sum();
        return IntStream.concat(
                        IntStream.of(row.documentLengths()), padding == 0 ? IntStream.empty() : IntStream.of(padding))
                .toArray();
    }

    private static List<Integer> documentStarts(Sample row) {
        List<Integer> starts = new ArrayList<>();
        int at = 0;
        for (int length : row.documentLengths()) {
            starts.add(at);
            at += length;
        }
        return starts;
    }

    @Test
    void aLongTextLosesNoTokenWhenItIsSplit() {
        int[] ids = IntStream.range(1, 101).toArray();
        Dataset packed = Packing.pack(Dataset.of(List.of(new Sample(ids))), 7, true);
        assertThat(IntStream.range(0, packed.size())
                        .flatMap(i -> Arrays.stream(packed.get(i).inputIds()))
                        .limit(100)
                        .toArray())
                .isEqualTo(ids);
        Batch last = Batch.of(List.of(packed.get(14)));
        assertThat(last.documents()).containsExactly(0, 0, -1, -1, -1, -1, -1);
        assertThat(last.labels()).containsExactly(-100, 100, -100, -100, -100, -100, -100);
    }

    @Test
    void aSampleThatFitsNoRowIsAMistakeOfTheCaller() {
        Dataset samples = Dataset.of(List.of(new Sample(new int[9])));
        assertThatThrownBy(() -> Packing.pack(samples, 8, false)).isInstanceOf(IllegalArgumentException.class);
    }

    static int[] ints(JsonNode array) {
        return array.valueStream().mapToInt(JsonNode::asInt).toArray();
    }
}
