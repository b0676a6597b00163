package dev.halftone.report;

import dev.halftone.report.Section.HeatMap;
import java.util.Locale;

/// Draws a [HeatMap] as SVG: from pale, the smallest value, to full colour, the largest. Each cell tells its own.
final class HeatPlot {
    private static final int WIDTH = 760;
    private static final int LABELS = 190;
    private static final int HEIGHT = 18;
    private static final int LARGEST_CELL = 40;
    private static final double PALEST = 0.06;

    private HeatPlot() {}

    static String svg(HeatMap map) {
        double min = Double.POSITIVE_INFINITY;
        double max = Double.NEGATIVE_INFINITY;
        for (double[] row : map.values()) {
            for (double v : row) {
                if (Double.isFinite(v)) {
                    min = Math.min(min, v);
                    max = Math.max(max, v);
                }
            }
        }
        double width = Math.min(
                LARGEST_CELL,
                (WIDTH - LABELS) / (double) Math.max(1, map.columns().size()));
        StringBuilder s = new StringBuilder("<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">%n"
                .formatted(WIDTH, (map.rows().size() + 1) * HEIGHT, Html.escape(map.title())));
        for (int r = 0; r < map.rows().size(); r++) {
            s.append("<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>%n"
                    .formatted(
                            LABELS - 8, r * HEIGHT + 13, Html.escape(map.rows().get(r))));
            for (int c = 0; c < map.columns().size(); c++) {
                double v = map.values()[r][c];
                if (Double.isFinite(v)) {
                    double strength = max > min ? (v - min) / (max - min) : 0;
                    s.append(
                            "<rect class=\"heat\" x=\"%s\" y=\"%d\" width=\"%s\" height=\"%d\" opacity=\"%s\"><title>%s, %s: %s</title></rect>%n"
                                    .formatted(
                                            number(LABELS + c * width),
                                            r * HEIGHT,
                                            number(width - 1),
                                            HEIGHT - 1,
                                            number(PALEST + (1 - PALEST) * strength),
                                            Html.escape(map.rows().get(r)),
                                            Html.escape(map.columns().get(c)),
                                            figure(v)));
                }
            }
        }
        int skip = (int) Math.ceil(24 / width);
        for (int c = 0; c < map.columns().size(); c += skip) {
            s.append("<text x=\"%s\" y=\"%d\" text-anchor=\"middle\">%s</text>%n"
                    .formatted(
                            number(LABELS + (c + 0.5) * width),
                            map.rows().size() * HEIGHT + 13,
                            Html.escape(map.columns().get(c))));
        }
        s.append("</svg>\n<p class=\"note\">%s From %s (pale) to %s (full colour).</p>%n"
                .formatted(Html.escape(map.note()), figure(min), figure(max)));
        return s.toString();
    }

    private static String number(double v) {
        return String.format(Locale.ROOT, "%.2f", v);
    }

    private static String figure(double v) {
        return Double.isFinite(v) ? String.format(Locale.ROOT, "%.4g", v) : "-";
    }
}
