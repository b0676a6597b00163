package dev.halftone.report;

import dev.halftone.report.Section.Chart;
import dev.halftone.report.Section.Facts;
import dev.halftone.report.Section.HeatMap;
import dev.halftone.report.Section.Table;
import java.util.List;

/// Renders sections as one HTML page that needs nothing else: no script, no font, no network. It follows the reader's
/// light or dark setting.
public final class HtmlReport {
    private static final String STYLE = """
            :root { --ink: #1c1c1a; --soft: #6b6a66; --rule: #dddcd7; --paper: #fbfaf7; --stress: #f0eee6;
              --c0: #2f6f9f; --c1: #b8552f; --c2: #5a8a3c; --c3: #80559b; --c4: #a5812a; --c5: #4b4b48; }
            @media (prefers-color-scheme: dark) { :root { --ink: #e9e7e1; --soft: #a09e97; --rule: #3a3936; --paper: #1b1b19;
              --stress: #282723; --c0: #7ab3dd; --c1: #e58b66; --c2: #97c777; --c3: #bd95d8; --c4: #dcb860; --c5: #b9b7b0; } }
            * { box-sizing: border-box; }
            body { background: var(--paper); color: var(--ink); margin: 0 auto; max-width: 50rem; padding: 2.5rem 1.25rem 4rem;
              font: 16px/1.55 ui-serif, Georgia, "Times New Roman", serif; }
            h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; font-weight: 600; }
            h2 { font-size: 1.15rem; margin: 2.6rem 0 .8rem; font-weight: 600; }
            p.lead { color: var(--soft); margin: 0; }
            table { border-collapse: collapse; width: 100%; font: 14px/1.5 ui-sans-serif, system-ui, sans-serif; }
            th, td { text-align: right; padding: .45rem .6rem; border-bottom: 1px solid var(--rule); font-variant-numeric: tabular-nums; }
            th { color: var(--soft); font-weight: 500; }
            th:first-child, td:first-child { text-align: left; }
            table.facts td { text-align: left; vertical-align: top; overflow-wrap: anywhere; }
            table.facts td:first-child { color: var(--soft); width: 34%; }
            tr.stress td { background: var(--stress); font-weight: 600; }
            p.note { color: var(--soft); font-size: .9rem; margin: .7rem 0 0; }
            .wide { overflow-x: auto; }
            svg { width: 100%; height: auto; display: block; }
            svg text { font: 12px ui-sans-serif, system-ui, sans-serif; fill: var(--soft); }
            .grid { stroke: var(--rule); stroke-width: 1; }
            path { fill: none; stroke-linejoin: round; }
            .line { stroke-width: 2; } .raw { stroke-width: 1; opacity: .28; }
            path.c0 { stroke: var(--c0); } path.c1 { stroke: var(--c1); } path.c2 { stroke: var(--c2); }
            path.c3 { stroke: var(--c3); } path.c4 { stroke: var(--c4); } path.c5 { stroke: var(--c5); }
            .heat { fill: var(--c1); }
            .legend { font: 13px ui-sans-serif, system-ui, sans-serif; color: var(--soft); margin: .2rem 0 0; }
            .legend span { margin-right: 1.4rem; white-space: nowrap; }
            .legend i { display: inline-block; width: 1.1em; height: 3px; vertical-align: middle; margin-right: .45em; }
            i.c0 { background: var(--c0); } i.c1 { background: var(--c1); } i.c2 { background: var(--c2); }
            i.c3 { background: var(--c3); } i.c4 { background: var(--c4); } i.c5 { background: var(--c5); }
            footer { color: var(--soft); font-size: .85rem; margin-top: 3.5rem; border-top: 1px solid var(--rule); padding-top: .8rem; }
            """;

    private HtmlReport() {}

    /// @param lead one sentence below the title
    /// @param footer how the page came to be, such as version and command
    public static String render(String title, String lead, List<Section> sections, String footer) {
        StringBuilder s = new StringBuilder("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
        s.append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        s.append("<title>")
                .append(Html.escape(title))
                .append("</title>\n<style>\n")
                .append(STYLE)
                .append("</style>\n");
        s.append("<h1>").append(Html.escape(title)).append("</h1>\n");
        s.append("<p class=\"lead\">").append(Html.escape(lead)).append("</p>\n");
        for (Section section : sections) {
            s.append("<h2>").append(Html.escape(section.title())).append("</h2>\n");
            s.append(
                    switch (section) {
                        case Facts f -> facts(f);
                        case Table t -> table(t);
                        case Chart c -> LinePlot.svg(c);
                        case HeatMap h -> HeatPlot.svg(h);
                    });
        }
        s.append("<footer>").append(Html.escape(footer)).append("</footer>\n</html>\n");
        return s.toString();
    }

    private static String facts(Facts facts) {
        StringBuilder s = new StringBuilder("<div class=\"wide\"><table class=\"facts\">\n");
        facts.facts()
                .forEach((name, value) -> s.append("<tr>")
                        .append(cell("td", name))
                        .append(cell("td", value))
                        .append("</tr>\n"));
        return s.append("</table></div>\n").toString();
    }

    private static String table(Table table) {
        StringBuilder s = new StringBuilder("<div class=\"wide\"><table>\n<tr>");
        table.header().forEach(h -> s.append(cell("th", h)));
        s.append("</tr>\n");
        for (int i = 0; i < table.rows().size(); i++) {
            s.append(i == table.emphasized() ? "<tr class=\"stress\">" : "<tr>");
            table.rows().get(i).forEach(v -> s.append(cell("td", v)));
            s.append("</tr>\n");
        }
        s.append("</table></div>\n");
        if (!table.note().isEmpty()) {
            s.append("<p class=\"note\">").append(Html.escape(table.note())).append("</p>\n");
        }
        return s.toString();
    }

    private static String cell(String tag, String text) {
        return "<" + tag + ">" + Html.escape(text) + "</" + tag + ">";
    }
}
