package dev.halftone.quant;

/// Finds the range of values that it sees, in any order and any number, and the scale that a grid has for it.
///
/// - MINMAX: the smallest and the largest value, as torch's `MinMaxObserver`, and ModelOpt's `MaxCalibrator` for
///   symmetric grids.
/// - PERCENTILE: magnitudes are cut at the upper edge of the first bin of a histogram up to which lie so many percent
///   of them, as in ModelOpt's `HistogramCalibrator`; never above the largest magnitude.
/// - MSE: magnitudes are cut at that of 100 candidates, 1 %, 2 % … 100 % of the largest magnitude, which leaves the
///   smallest sum of squared differences between the centres of the bins, each as often as values lie there, and what
///   the grid makes of them in float32; the largest of those that are equal. The candidates are those of
///   llm-compressor's MSE observer, without its early stop, the error is that of ModelOpt's `HistogramCalibrator`.
///
/// A cut at `a` makes the range `[max(lo, -a), min(hi, a)]`.
///
/// **Histogram.** 4096 bins of one width for either sign, up to the power of two above the largest magnitude so far.
/// When that grows, neighbouring bins are joined, two by two: the counts are those of a histogram that had been as
/// wide from the start. So the memory is the same for any number of values, and the result for any order of them.
public final class RangeObserver {
    private static final int BINS = 4096;
    private static final int CANDIDATES = 100;

    private final Calibration calibration;
    private float lo;
    private float hi;
    private long seen;
    /// Magnitudes lie below 2 to this power.
    private int exponent = Float.MIN_EXPONENT;
    private long[] negatives = new long[0];
    private long[] positives = new long[0];

    public RangeObserver(Calibration calibration) {
        this.calibration = calibration;
        if (calibration.method() != Calibration.Method.MINMAX) {
            negatives = new long[BINS];
            positives = new long[BINS];
        }
    }

    /// Takes in values.
    public void observe(float[] values) {
        for (float v : values) {
            lo = Math.min(lo, v);
            hi = Math.max(hi, v);
        }
        seen += values.length;
        if (positives.length > 0 && finite()) {
            count(values);
        }
    }

    private void count(float[] values) {
        int needed = Math.getExponent(amax()) + 1;
        if (needed > exponent) {
            int joined = Math.min(needed - exponent, Integer.SIZE - 1);
            negatives = joined(negatives, joined);
            positives = joined(positives, joined);
            exponent = needed;
        }
        double perUnit = 1 / width();
        for (float v : values) {
            (v < 0 ? negatives : positives)[(int) (Math.abs(v) * perUnit)]++;
        }
    }

    /// @param powerOfTwo the logarithm of the number of bins that become one
    private static long[] joined(long[] counts, int powerOfTwo) {
        long[] wider = new long[counts.length];
        for (int i = 0; i < counts.length; i++) {
            wider[i >> powerOfTwo] += counts[i];
        }
        return wider;
    }

    /// Of a bin: a power of two.
    private double width() {
        return Math.scalb(1.0, exponent) / BINS;
    }

    private float amax() {
        return Math.max(-lo, hi);
    }

    /// How many values were taken in.
    public long seen() {
        return seen;
    }

    /// Whether all of them are numbers.
    public boolean finite() {
        return Float.isFinite(lo) && Float.isFinite(hi);
    }

    /// The scale for the values seen, which must be finite.
    ///
    /// @param numbers the grid in the type in which the values arrive
    /// @param inFloat the same grid in float32
    public InputScale scale(Grid numbers, Grid inFloat) {
        float cut = switch (calibration.method()) {
            case MINMAX -> amax();
            case PERCENTILE -> percentile();
            case MSE -> leastError(inFloat);
        };
        return cut(numbers, cut);
    }

    private InputScale cut(Grid numbers, float a) {
        return InputScale.of(numbers, Math.max(lo, -a), Math.min(hi, a));
    }

    private float percentile() {
        double wanted = calibration.percentile() / 100 * seen;
        long below = 0;
        for (int i = 0; i < BINS; i++) {
            below += negatives[i] + positives[i];
            if (below >= wanted) {
                return Math.min((float) ((i + 1) * width()), amax());
            }
        }
        return amax();
    }

    private float leastError(Grid grid) {
        float best = amax();
        double least = Double.POSITIVE_INFINITY;
        for (int k = CANDIDATES; k > 0; k--) {
            float a = amax() * k / CANDIDATES;
            Oracle oracle = new StaticGrid(grid, cut(grid, a)).oracle();
            double error = error(oracle, negatives, -1) + error(oracle, positives, 1);
            if (error < least) {
                least = error;
                best = a;
            }
        }
        return best;
    }

    private double error(Oracle oracle, long[] counts, int sign) {
        float[] centres = new float[BINS];
        for (int i = 0; i < BINS; i++) {
            centres[i] = (float) (sign * (i + 0.5) * width());
        }
        float[] quantized = oracle.fakeQuantize(centres, BINS);
        double sum = 0;
        for (int i = 0; i < BINS; i++) {
            double difference = (double) quantized[i] - centres[i];
            sum += counts[i] * difference * difference;
        }
        return sum;
    }
}
