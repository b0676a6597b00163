package dev.halftone.cli;

import java.io.PrintStream;
import java.util.Arrays;
import java.util.List;

/// Prints rows in columns as wide as their widest cell, and sizes in units.
final class TextTable {
    private static final String GAP = "  ";

    private TextTable() {}

    /// @param rows each as long as the header; columns of nothing but numbers are aligned on the right
    static void print(PrintStream to, List<String> header, List<List<String>> rows) {
        int[] widths = new int[header.size()];
        boolean[] right = new boolean[header.size()];
        for (int c = 0; c < widths.length; c++) {
            int column = c;
            widths[c] = Math.max(
                    width(header.get(c)),
                    rows.stream().mapToInt(r -> width(r.get(column))).max().orElse(0));
            right[c] = !rows.isEmpty()
                    && rows.stream()
                            .allMatch(r -> r.get(column).matches("[-+]?[\\d.,]+([eE][-+]?\\d+)?( ?%| [kMGT]?B)?|-"));
        }
        line(to, header, widths, right);
        rows.forEach(row -> line(to, row, widths, right));
    }

    private static void line(PrintStream to, List<String> cells, int[] widths, boolean[] right) {
        StringBuilder line = new StringBuilder();
        for (int c = 0; c < widths.length; c++) {
            String pad = " ".repeat(widths[c] - width(cells.get(c)));
            line.append(c == 0 ? "" : GAP).append(right[c] ? pad + cells.get(c) : cells.get(c) + pad);
        }
        to.println(line.toString().stripTrailing());
    }

    private static int width(String cell) {
        return cell.codePointCount(0, cell.length());
    }

    static List<String> row(Object... cells) {
        return Arrays.stream(cells).map(String::valueOf).toList();
    }

    /// A size in the unit that fits it: `257.4 MB`.
    static String size(long bytes) {
        String[] units = {"B", "kB", "MB", "GB", "TB"};
        double size = bytes;
        int unit = 0;
        while (size >= 1000 && unit < units.length - 1) {
            size /= 1000;
            unit++;
        }
        return unit == 0 ? bytes + " B" : "%.1f %s".formatted(size, units[unit]);
    }
}
