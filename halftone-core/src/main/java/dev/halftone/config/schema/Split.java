package dev.halftone.config.schema;

import dev.halftone.InputException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// A slice of a data set's rows in the notation of Hugging Face `datasets`: `train`, `train[:95%]`, `train[100:200]`,
/// `train[-10%:]`. Local files hold one split, `train`.
///
/// @param from first row, in rows or percent; negative counts from the end; null for the first
/// @param to the row after the last, likewise; null for the end
/// @param percent whether both are percentages of the rows
public record Split(@Nullable Integer from, @Nullable Integer to, boolean percent) {
    private static final Pattern NOTATION = Pattern.compile("train(\\[(-?\\d{1,9})?(%)?:(-?\\d{1,9})?(%)?])?");

    /// @throws InputException if it is not that notation, or mixes rows and percent
    public static Split parse(String text) {
        Matcher m = NOTATION.matcher(text.replace(" ", ""));
        if (!m.matches()) {
            throw new InputException(
                    "'%s' is no split of local files. Use train, train[:95%%], train[95%%:] or train[100:200]."
                            .formatted(text));
        }
        Integer from = number(m.group(2));
        Integer to = number(m.group(4));
        boolean percent = m.group(3) != null || m.group(5) != null;
        boolean mixed = percent && ((from != null && m.group(3) == null) || (to != null && m.group(5) == null));
        if (mixed || (percent && (beyond100(from) || beyond100(to)))) {
            throw new InputException(
                    "'%s' is no split. Give both ends in rows, or both in percent from -100 to 100.".formatted(text));
        }
        return new Split(from, to, percent);
    }

    private static @Nullable Integer number(@Nullable String digits) {
        return digits == null ? null : Integer.valueOf(digits);
    }

    private static boolean beyond100(@Nullable Integer percentage) {
        return percentage != null && Math.abs(percentage) > 100;
    }

    /// The first row of the slice, of this many rows.
    public int start(int rows) {
        return from == null ? 0 : position(from, rows);
    }

    /// The row after the slice's last, of this many rows; never before [#start].
    public int end(int rows) {
        return Math.max(start(rows), to == null ? rows : position(to, rows));
    }

    /// Percentages go to the closest row, as in `datasets`.
    private int position(int at, int rows) {
        long row = percent ? Math.round(at * (double) rows / 100) : at;
        return Math.toIntExact(Math.clamp(row < 0 || at < 0 ? rows + row : row, 0, rows));
    }

    @Override
    public String toString() {
        if (from == null && to == null) {
            return "train";
        }
        String unit = percent ? "%" : "";
        return "train[" + (from == null ? "" : from + unit) + ":" + (to == null ? "" : to + unit) + "]";
    }
}
