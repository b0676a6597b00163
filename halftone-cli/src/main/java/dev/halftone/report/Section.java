package dev.halftone.report;

import java.util.List;
import java.util.Map;

/// A part of a report, in the order in which it is read.
public sealed interface Section {
    /// The heading.
    String title();

    /// Names and values, such as a configuration.
    record Facts(String title, Map<String, String> facts) implements Section {}

    /// A table. The first column is text, the others are aligned as numbers.
    ///
    /// @param note a sentence below it; empty for none
    /// @param emphasized index of the row to stress, -1 for none
    record Table(String title, List<String> header, List<List<String>> rows, int emphasized, String note)
            implements Section {}

    /// A line plot of one or more series over the same x axis.
    record Chart(String title, String xLabel, String yLabel, List<Series> series) implements Section {}

    /// Figures in a grid of coloured cells.
    ///
    /// @param values a row for each of `rows`, a cell for each of `columns`; NaN leaves a gap
    record HeatMap(String title, String note, List<String> rows, List<String> columns, double[][] values)
            implements Section {}

    /// One line of a plot.
    ///
    /// @param x ascending
    /// @param y as many as `x`; what is not finite leaves a gap
    record Series(String name, double[] x, double[] y) {}
}
