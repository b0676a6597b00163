package dev.halftone.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class HtmlReportTest {
    private static String page(Section... sections) {
        return HtmlReport.render("A <run>", "Lead & more", List.of(sections), "footer");
    }

    @Test
    void everyTextIsEscaped() {
        String html = page(
                new Section.Facts("f", Map.of("<k>", "\"v\"")),
                new Section.Table("t", List.of("<h>"), List.of(List.of("a<b")), 0, "n&m"),
                new Section.Chart(
                        "c<", "x<", "y<", List.of(new Section.Series("s<", new double[] {0}, new double[] {1}))));
        assertThat(html).doesNotContain("<run>", "<k>", "<h>", "a<b", "s<<", "n&m");
        assertThat(html).contains("A &lt;run&gt;", "Lead &amp; more", "&quot;v&quot;", "a&lt;b", "s&lt;");
    }

    @Test
    void thePageNeedsNothingFromElsewhere() {
        assertThat(page()).doesNotContain("<script", "http:", "https:", "src=", "url(");
    }

    @Test
    void aPlotStaysInsideItsFrameAndLeavesGapsWhereAValueIsNotFinite() {
        double[] x = {0, 1, 2, 3, 4};
        double[] y = {5, 4, Double.NaN, 2, 1};
        String svg = LinePlot.svg(new Section.Chart("loss", "step", "loss", List.of(new Section.Series("a", x, y))));
        assertThat(svg).doesNotContain("NaN", "Infinity");
        String raw = svg.substring(svg.indexOf("raw c0"));
        raw = raw.substring(raw.indexOf("d=\"") + 3, raw.indexOf("\"/>"));
        assertThat(raw.chars().filter(c -> c == 'M').count()).isEqualTo(2);
        assertThat(raw).startsWith("M56.0 16.0").endsWith("744.0 256.0");
    }

    @Test
    void anEmptyOrConstantSeriesStillDraws() {
        assertThat(LinePlot.svg(new Section.Chart("t", "x", "y", List.of()))).contains("<svg");
        double[] one = {3};
        assertThat(LinePlot.svg(new Section.Chart("t", "x", "y", List.of(new Section.Series("s", one, one)))))
                .doesNotContain("NaN");
    }
}
