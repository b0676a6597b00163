package dev.halftone.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.eval.Perplexity.Document;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PerplexityTest {
    /// Counts printed by Python 3.11's `len(re.split(r"\s+", text))`.
    @Test
    void wordsAreCountedAsPythonSplitsThem() {
        Map<String, Integer> counts = Map.of(
                "", 1,
                " ", 2,
                "a", 1,
                " a b ", 4,
                "a\n\nb\tc", 3,
                "x\u00a0y\u2003z", 3,
                "a\u001cb\u001fc", 3,
                "a\u200bb", 1,
                "a\u0085b", 2,
                "\u3000lead", 2);
        counts.forEach((text, words) ->
                assertThat(Perplexity.countWords(text)).as(text).isEqualTo(words.longValue()));
    }

    /// The first document of lm-eval's run on SmolLM2-135M-Instruct in float32.
    @Test
    void figuresFollowFromTheLogLikelihoodAsInTheHarness() {
        Document d = new Document("1799_john_adams_f.txt", 1704, -5709.5986328125, 1506, 9191);
        assertThat(d.wordPerplexity()).isCloseTo(44.31105311598994, within(1e-9));
        assertThat(d.bytePerplexity()).isCloseTo(1.861190354567814, within(1e-12));
        assertThat(d.bitsPerByte()).isCloseTo(0.8962256156049395, within(1e-12));
    }

    @Test
    void theTotalSumsBeforeItDivides() {
        Document a = new Document("a", 10, -20, 5, 40);
        Document b = new Document("b", 30, -30, 15, 60);
        assertThat(new Perplexity(List.of(a, b)).total().wordPerplexity())
                .isCloseTo(Math.exp(50.0 / 20), within(1e-12));
    }
}
