package dev.halftone.quant;

import static dev.halftone.quant.Rounding.round;

import dev.halftone.DType;
import dev.halftone.quant.GgufLattice.Rule;

/// The specification of quantization to GGUF's block types, in scalar Java: what every kernel and every backend must
/// compute, bit for bit.
///
/// **Whose numerics.** llama.cpp's `quantize_row_*_ref` and `dequantize_row_*` (`ggml-quants.c`), as gguf-py 0.19
/// computes them (`gguf/quants.py`), which the golden files come from. In C a compiler may contract `x·id + 8.5`
/// into one operation with one rounding, and then a weight that lies exactly between two codes may get the other
/// one. gguf-py rounds each operation, and so does this.
///
/// **Notation.** A block is 32 weights (256 in TQ1_0 and TQ2_0). Every operation is in float32 and rounded once;
/// bfloat16 weights are widened first. `⌊v⌉h` is `v` rounded to float16, half to even.
///
/// **Scale.** Codes are chosen with the float32 `d`, and stand for values with the float16 that the file stores:
///
///     EXTREME    d = m / qmin, m the first weight of the largest magnitude    qmin = -8, -16
///     RANGE      d = (max - min) / qmax                                       qmax = 15, 31
///     MAGNITUDE  d = max|x| / qmax                                            qmax = 127, 1
///     all three  id = 1 / d, 0 where d is 0      s = ⌊d⌉h      RANGE: b = ⌊min⌉h
///     E2M1       s = d = 2^k, k = max(⌊log2 max|x|⌋ - 2, -127), -127 for zeros
///
/// `log2` is rounded to float32 before its floor is taken, so that a magnitude a few units in the last place below
/// a power of two counts as that power (gguf-py's and C's `log2f`; any log2 in double precision, rounded to
/// float32, gives the same exponents).
///
/// **Quantize.** `trunc` is the cast to an integer:
///
///     EXTREME    q = min(trunc(x·id + (0.5 - qmin)), 2^bits - 1) + qmin       codes [-8, 7], [-16, 15]
///     RANGE      q = min(trunc((x - min)·id + 0.5), qmax)                     codes [0, 15], [0, 31]
///     MAGNITUDE  q = roundf(x·id), halves away from zero                      codes [-127, 127], [-1, 1]
///     E2M1       q = the nearest of ±{0, 0.5, 1, 1.5, 2, 3, 4, 6} to x / s, halves towards zero
///
/// An e2m1 code is the index of that magnitude, and 8 more for negative numbers; -0 is never chosen.
///
/// **Dequantize.** `y = q·s`, RANGE: `y = q·s + b` with two roundings, at last rounded to the dtype of the weights.
/// In float32 that is what the bytes of the file stand for, bit for bit; signs of zeros included.
///
/// **Gradient.** No library trains on these lattices, so there is no autograd to mirror: the upstream gradient passes
/// unchanged, or not at all where [GradientRule] stops it. With `v` what trunc is applied to, and `u = |x·id|`:
///
///     EXTREME, RANGE   CLOSED: 0 ≤ v < 2^bits      OPEN: 1 ≤ v < 2^bits - 1
///     MAGNITUDE        CLOSED: u < qmax + 0.5      OPEN: u < qmax - 0.5
///     E2M1             CLOSED: u ≤ 6               OPEN: u < 6
///
/// So CLOSED stops what the clamp changes. That is in EXTREME what lies in the last half step opposite to `m`
/// (`x / d ≥ 7.5`), in E2M1 what lies beyond 6 steps (up to 8), and in RANGE and MAGNITUDE, whose scale comes from
/// the very ends, nothing. OPEN also stops what the clamp would have left on a bound: every weight with the
/// smallest or largest code, which in TQ1_0 and TQ2_0 is every weight but those of code 0, and all of a block that
/// RANGE finds constant.
///
/// **Not numbers.** A scale or minimum beyond 65504 is stored as infinity, one of 2⁻²⁵ or less as 0, as in llama.cpp.
/// E2M1 takes a NaN as scale for a block with an infinity or a NaN (byte 255, which llama.cpp refuses to load). The
/// values of such blocks follow from the formulas; the cast of a NaN to a code is 0, where C and numpy leave it
/// undefined, and the exponent of E2M1 is kept from falling below its smallest, where they leave that undefined.
public record GgufOracle(GgufGrid grid) implements Oracle {
    /// What the magnitude codes of e2m1 stand for.
    private static final float[] MAGNITUDES = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    /// Above each of these the next magnitude is nearer.
    private static final float[] MIDPOINTS = {0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5};

    private static final int SIGN = 8;
    private static final int BIAS = 127;

    /// What a block is quantized with, and what it is dequantized with.
    ///
    /// @param inverse steps that a unit has
    /// @param min what lies at zero steps
    /// @param scale the stored size of a step
    /// @param minimum the stored `min`; 0 where the lattice has none
    public record Block(float inverse, float min, float scale, float minimum) {}

    @Override
    public Codes quantize(float[] x, int columns) {
        GgufLattice lattice = grid.lattice();
        int group = lattice.blockSize();
        byte[] codes = new byte[x.length];
        float[] scales = new float[x.length / group];
        float[] minima = new float[scales.length];
        for (int b = 0; b < scales.length; b++) {
            Block block = choose(x, b * group, (b + 1) * group, lattice);
            scales[b] = block.scale();
            minima[b] = block.minimum();
            for (int i = b * group; i < (b + 1) * group; i++) {
                codes[i] = (byte) code(x[i], block, lattice);
            }
        }
        return new Codes(codes, scales, lattice.hasMinimum() ? minima : null, 1);
    }

    @Override
    public float[] dequantize(Codes q, int columns) {
        int group = grid.lattice().blockSize();
        float[] minima = q.zeroPoints();
        float[] y = new float[q.codes().length];
        for (int i = 0; i < y.length; i++) {
            float minimum = minima == null ? 0 : minima[i / group];
            y[i] = dequantize(q.codes()[i], q.scales()[i / group], minimum, grid);
        }
        return y;
    }

    @Override
    public float[] gradient(float[] x, float[] upstream, int columns, GradientRule rule) {
        GgufLattice lattice = grid.lattice();
        int group = lattice.blockSize();
        float[] gradient = new float[x.length];
        for (int from = 0; from < x.length; from += group) {
            Block block = choose(x, from, from + group, lattice);
            for (int i = from; i < from + group; i++) {
                gradient[i] = passes(x[i], block, lattice, rule) ? upstream[i] : 0;
            }
        }
        return gradient;
    }

    /// The block `x[from, to)`.
    public static Block choose(float[] x, int from, int to, GgufLattice lattice) {
        return lattice.rule() == Rule.RANGE ? range(x, from, to, lattice) : extreme(x, from, to, lattice);
    }

    private static Block range(float[] x, int from, int to, GgufLattice lattice) {
        float min = x[from];
        float max = x[from];
        for (int i = from; i < to; i++) {
            min = x[i] < min || Float.isNaN(x[i]) ? x[i] : min;
            max = x[i] > max || Float.isNaN(x[i]) ? x[i] : max;
        }
        return range(min, max, lattice);
    }

    /// The block of a RANGE lattice.
    ///
    /// @param min its smallest value, the first of several; NaN where it holds one
    /// @param max its largest value, likewise
    public static Block range(float min, float max, GgufLattice lattice) {
        float d = (max - min) / lattice.qmax();
        return new Block(reciprocal(d), min, round(d, DType.F16), round(min, DType.F16));
    }

    private static Block extreme(float[] x, int from, int to, GgufLattice lattice) {
        float m = x[from];
        for (int i = from; i < to; i++) {
            m = Math.abs(x[i]) > Math.abs(m) || Float.isNaN(x[i]) ? x[i] : m;
        }
        return extreme(m, lattice);
    }

    /// The block of any other lattice.
    ///
    /// @param m its value of the largest magnitude, the first of several; NaN where it holds one
    public static Block extreme(float m, GgufLattice lattice) {
        if (lattice.rule() == Rule.E2M1) {
            float scale = powerOfTwo(exponent(Math.abs(m)));
            return new Block(1 / scale, 0, scale, 0);
        }
        float d = lattice.rule() == Rule.EXTREME ? m / lattice.qmin() : Math.abs(m) / lattice.qmax();
        return new Block(reciprocal(d), 0, round(d, DType.F16), 0);
    }

    private static float reciprocal(float d) {
        return d == 0 ? 0 : 1 / d;
    }

    /// The biased exponent of an e2m1 scale: 0 to 254, or 255 for NaN.
    private static int exponent(float magnitude) {
        if (magnitude == 0) {
            return 0;
        }
        float log2 = (float) (Math.log(magnitude) / Math.log(2));
        return Float.isFinite(log2) ? Math.max((int) Math.floor(log2) - 2 + BIAS, 0) : 255;
    }

    private static float powerOfTwo(int exponent) {
        return exponent == 255 ? Float.NaN : Math.scalb(1f, exponent - BIAS);
    }

    /// How many midpoints the magnitudes of e2m1 have.
    public static int midpoints() {
        return MIDPOINTS.length;
    }

    /// The midpoint above which magnitude `i + 1` of e2m1 is nearer than magnitude `i`.
    public static float midpoint(int i) {
        return MIDPOINTS[i];
    }

    /// The code of one value.
    public static int code(float x, Block block, GgufLattice lattice) {
        float v = position(x, block, lattice);
        return switch (lattice.rule()) {
            case EXTREME, RANGE -> Math.clamp((int) v, 0, lattice.qmax() - lattice.qmin()) + lattice.qmin();
            case MAGNITUDE -> {
                int q = (int) Math.min(Math.floor((double) v + 0.5), lattice.qmax());
                yield x < 0 ? -q : q;
            }
            case E2M1 -> {
                int q = 0;
                while (q < MIDPOINTS.length && v > MIDPOINTS[q]) {
                    q++;
                }
                yield x < 0 && q > 0 ? q | SIGN : q;
            }
        };
    }

    /// How many steps a code stands for.
    public static float steps(int code, GgufLattice lattice) {
        if (lattice.rule() != Rule.E2M1) {
            return code;
        }
        float magnitude = MAGNITUDES[code & (SIGN - 1)];
        return (code & SIGN) == 0 ? magnitude : 0 - magnitude;
    }

    /// The value that a code stands for.
    public static float dequantize(int code, float scale, float minimum, GgufGrid grid) {
        float y = steps(code, grid.lattice()) * scale;
        return round(grid.lattice().hasMinimum() ? y + minimum : y, grid.dtype());
    }

    /// What remains of one value after quantization.
    public static float fakeQuantize(float x, Block block, GgufGrid grid) {
        return dequantize(code(x, block, grid.lattice()), block.scale(), block.minimum(), grid);
    }

    /// Whether one value gets a gradient; a NaN does not.
    public static boolean passes(float x, Block block, GgufLattice lattice, GradientRule rule) {
        float v = position(x, block, lattice);
        return rule == GradientRule.IDENTITY || (v >= lower(lattice, rule) && v < upper(lattice, rule));
    }

    /// The smallest position that gets a gradient.
    ///
    /// @param rule CLOSED or OPEN
    public static float lower(GgufLattice lattice, GradientRule rule) {
        return switch (lattice.rule()) {
            case EXTREME, RANGE -> rule == GradientRule.CLOSED ? 0 : 1;
            case MAGNITUDE, E2M1 -> 0;
        };
    }

    /// The position from which on none gets a gradient.
    ///
    /// @param rule CLOSED or OPEN
    public static float upper(GgufLattice lattice, GradientRule rule) {
        boolean closed = rule == GradientRule.CLOSED;
        return switch (lattice.rule()) {
            case EXTREME, RANGE -> lattice.qmax() - lattice.qmin() + (closed ? 1 : 0);
            case MAGNITUDE -> lattice.qmax() + (closed ? 0.5f : -0.5f);
            case E2M1 -> closed ? Math.nextUp(6f) : 6;
        };
    }

    /// Where a value lies: in EXTREME and RANGE the number whose integer part is the code, counted from the
    /// smallest; else its distance from zero, in steps.
    private static float position(float x, Block block, GgufLattice lattice) {
        float u = (x - block.min()) * block.inverse();
        return switch (lattice.rule()) {
            case EXTREME, RANGE -> u + (0.5f - lattice.qmin());
            case MAGNITUDE, E2M1 -> Math.abs(u);
        };
    }
}
