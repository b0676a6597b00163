package dev.halftone.conformance;

import dev.halftone.DType;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// How far a value may lie from the golden one. The order in which a sum is added up is nobody's promise, so
/// only values that are sums may differ at all; every other is exact.
///
/// @param ofTerms share of the sum of the terms' magnitudes (or of what else stands in their place), for
///     float32; 0 for units in the last place there too
/// @param ulps units in the last place of the expected value
/// @param ulpsOfTerms whether the units are those of the terms instead
record Tolerance(double ofTerms, int ulps, boolean ulpsOfTerms) {
    static final Tolerance EXACT = new Tolerance(0, 0, false);

    private static final Pattern OF_TERMS = Pattern.compile("([0-9.]+e-?[0-9]+) ?\\* ?sum\\|terms\\|");
    private static final Pattern OF_GROUP = Pattern.compile("\\brel ([0-9.]+e-?[0-9]+) of the group's max");
    private static final Pattern ULPS_OF_LARGEST = Pattern.compile("\\b([0-9]) ulp of max\\b");
    private static final Pattern OF_ROW =
            Pattern.compile("\\brel ([0-9.]+e-?[0-9]+) of the row's max.*\\b([0-9]) ulp\\b");
    private static final Pattern RELATIVE =
            Pattern.compile("\\brel ([0-9.]+e-?[0-9]+) (?:of max\\|grad\\||\\(depends on)");
    private static final Pattern ONE_ULP = Pattern.compile("\\b(1|one)( \\w+)? ulp\\b");

    /// Reads an entry of a case's `tolerance`; empty if it is of a kind that intN cases don't have.
    static Optional<Tolerance> parse(String text) {
        if (text.startsWith("bit-exact")) {
            return Optional.of(EXACT);
        }
        Matcher ofTerms = OF_TERMS.matcher(text);
        if (ofTerms.find()) {
            return Optional.of(new Tolerance(Double.parseDouble(ofTerms.group(1)), 1, false));
        }
        Matcher ofRow = OF_ROW.matcher(text);
        if (ofRow.find()) {
            return Optional.of(
                    new Tolerance(Double.parseDouble(ofRow.group(1)), Integer.parseInt(ofRow.group(2)), false));
        }
        Matcher ofGroup = OF_GROUP.matcher(text);
        if (ofGroup.find()) {
            return Optional.of(new Tolerance(Double.parseDouble(ofGroup.group(1)), 1, false));
        }
        Matcher relative = RELATIVE.matcher(text);
        if (relative.find()) {
            return Optional.of(new Tolerance(Double.parseDouble(relative.group(1)), 1, false));
        }
        Matcher ofLargest = ULPS_OF_LARGEST.matcher(text);
        if (ofLargest.find()) {
            return Optional.of(new Tolerance(0, Integer.parseInt(ofLargest.group(1)), true));
        }
        return ONE_ULP.matcher(text).find() ? Optional.of(new Tolerance(0, 1, false)) : Optional.empty();
    }

    /// @param terms sum of the magnitudes of the terms of this value, or what else the tolerance is of; 0
    ///     where the value is no sum
    boolean allows(float actual, float expected, float terms, DType dtype) {
        if (actual == expected || (Float.isNaN(actual) && Float.isNaN(expected))) {
            return true;
        }
        if (terms == 0) {
            return false;
        }
        double bound =
                dtype == DType.F32 && ofTerms > 0 ? ofTerms * terms : ulps * ulp(ulpsOfTerms ? terms : expected, dtype);
        return Math.abs((double) actual - expected) <= bound;
    }

    /// The distance of neighbouring values of `dtype` around `v`.
    private static double ulp(float v, DType dtype) {
        return switch (dtype) {
            case F32 -> Math.ulp(v);
            case BF16 -> Math.ulp(v) * 0x1p16;
            case F16 -> Math.max(Math.ulp(v) * 0x1p13, 0x1p-24);
            default -> throw new IllegalArgumentException("no sums in " + dtype);
        };
    }
}
