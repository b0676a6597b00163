package dev.halftone.report;

import dev.halftone.report.Section.Chart;
import dev.halftone.report.Section.Series;
import java.util.List;
import java.util.Locale;

/// Draws a [Chart] as SVG: each series faint as it was measured, and strong as an exponential moving average, since a
/// training loss is noisy and its trend is what one looks for.
final class LinePlot {
    private static final int WIDTH = 760;
    private static final int HEIGHT = 300;
    private static final int LEFT = 56;
    private static final int RIGHT = 16;
    private static final int TOP = 16;
    private static final int BOTTOM = 44;
    private static final int COLOURS = 6;

    private final Chart chart;
    private final Axis x;
    private final Axis y;

    private LinePlot(Chart chart) {
        this.chart = chart;
        x = Axis.over(chart.series().stream().map(Series::x).toList());
        y = Axis.over(chart.series().stream().map(Series::y).toList());
    }

    static String svg(Chart chart) {
        return new LinePlot(chart).draw();
    }

    private String draw() {
        StringBuilder s = new StringBuilder();
        s.append("<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">%n"
                .formatted(WIDTH, HEIGHT, Html.escape(chart.title())));
        for (double tick : y.ticks()) {
            s.append("<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%s\" y2=\"%s\"/>"
                    .formatted(LEFT, WIDTH - RIGHT, number(py(tick)), number(py(tick))));
            s.append("<text class=\"tick\" x=\"%d\" y=\"%s\" text-anchor=\"end\">%s</text>%n"
                    .formatted(LEFT - 8, number(py(tick) + 4), y.label(tick)));
        }
        for (double tick : x.ticks()) {
            s.append("<text class=\"tick\" x=\"%s\" y=\"%d\" text-anchor=\"middle\">%s</text>%n"
                    .formatted(number(px(tick)), HEIGHT - BOTTOM + 18, x.label(tick)));
        }
        s.append("<text class=\"axis\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>%n"
                .formatted((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, Html.escape(chart.xLabel())));
        s.append("<text class=\"axis\" transform=\"translate(12 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>%n"
                .formatted((TOP + HEIGHT - BOTTOM) / 2, Html.escape(chart.yLabel())));
        for (int i = 0; i < chart.series().size(); i++) {
            Series series = chart.series().get(i);
            int colour = i % COLOURS;
            s.append("<path class=\"raw c%d\" d=\"%s\"/>%n".formatted(colour, path(series.x(), series.y())));
            s.append("<path class=\"line c%d\" d=\"%s\"><title>%s</title></path>%n"
                    .formatted(colour, path(series.x(), smooth(series.y())), Html.escape(series.name())));
        }
        s.append("</svg>\n<p class=\"legend\">");
        for (int i = 0; i < chart.series().size(); i++) {
            s.append("<span><i class=\"c%d\"></i>%s</span>"
                    .formatted(i % COLOURS, Html.escape(chart.series().get(i).name())));
        }
        return s.append("</p>\n").toString();
    }

    private String path(double[] xs, double[] ys) {
        StringBuilder s = new StringBuilder();
        boolean pen = false;
        for (int i = 0; i < xs.length; i++) {
            if (!Double.isFinite(ys[i])) {
                pen = false;
                continue;
            }
            s.append(pen ? 'L' : 'M').append(number(px(xs[i]))).append(' ').append(number(py(ys[i])));
            pen = true;
        }
        return s.toString();
    }

    /// Moving average over about a twentieth of the points.
    private static double[] smooth(double[] ys) {
        double keep = Math.max(0, 1 - 20.0 / Math.max(20, ys.length));
        double[] out = new double[ys.length];
        double mean = 0;
        double weight = 0;
        for (int i = 0; i < ys.length; i++) {
            if (Double.isFinite(ys[i])) {
                mean = keep * mean + (1 - keep) * ys[i];
                weight = keep * weight + (1 - keep);
            }
            out[i] = Double.isFinite(ys[i]) ? mean / weight : Double.NaN;
        }
        return out;
    }

    private double px(double v) {
        return LEFT + x.position(v) * (WIDTH - LEFT - RIGHT);
    }

    private double py(double v) {
        return HEIGHT - BOTTOM - y.position(v) * (HEIGHT - TOP - BOTTOM);
    }

    private static String number(double v) {
        return String.format(Locale.ROOT, "%.1f", v);
    }

    /// A scale with round ticks that covers all finite values.
    private record Axis(double min, double max, double step) {
        static Axis over(List<double[]> values) {
            double min = Double.POSITIVE_INFINITY;
            double max = Double.NEGATIVE_INFINITY;
            for (double[] vs : values) {
                for (double v : vs) {
                    if (Double.isFinite(v)) {
                        min = Math.min(min, v);
                        max = Math.max(max, v);
                    }
                }
            }
            if (min > max) {
                min = 0;
                max = 1;
            }
            if (min == max) {
                double margin = min == 0 ? 1 : Math.abs(min) / 10;
                min -= margin;
                max += margin;
            }
            double rough = (max - min) / 5;
            double power = Math.pow(10, Math.floor(Math.log10(rough)));
            double step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10);
            return new Axis(min, max, step);
        }

        double position(double v) {
            return (v - min) / (max - min);
        }

        double[] ticks() {
            long first = (long) Math.ceil(min / step - 1e-9);
            long last = (long) Math.floor(max / step + 1e-9);
            double[] ticks = new double[(int) (last - first + 1)];
            for (int i = 0; i < ticks.length; i++) {
                ticks[i] = (first + i) * step;
            }
            return ticks;
        }

        String label(double tick) {
            if (max - min < 1e-3 || Math.abs(tick) >= 1e6) {
                return String.format(Locale.ROOT, "%.2g", tick);
            }
            int decimals = Math.max(0, (int) -Math.floor(Math.log10(step) + 1e-9));
            return String.format(Locale.ROOT, "%." + decimals + "f", tick == 0 ? 0.0 : tick);
        }
    }
}
