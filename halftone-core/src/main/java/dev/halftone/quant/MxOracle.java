package dev.halftone.quant;

import static dev.halftone.quant.Rounding.round;

/// The specification of the microscaling (MX) formats, in scalar Java: what every kernel and every backend must
/// compute, bit for bit.
///
/// **Whose numerics.** torchao 0.18 on a CPU: `to_mx` and `to_dtype` of `prototype/mx_formats/mx_tensor.py`, as
/// `MXFakeQuantizedLinear` (training) and `MXTensor` (after training) call them. MXINT8, which torchao does not have,
/// follows the OCP Microscaling Formats v1.0, sections 5.3.4 and 6.3. COMPRESSED_TENSORS is compressed-tensors 0.20:
/// `generate_mx_scales`, `quantize` and `dequantize`, whose MXFP4 checkpoints vLLM reads.
///
/// **Scale**: a byte `b` that stands for `2^(b-127)`, and 255 for NaN. `a` is the largest magnitude of a block as
/// float32, `field` its exponent bits, `emax` and `max` the exponent and the value of the format's largest number,
/// `m` its mantissa bits:
///
///     FLOOR    b = field(a) - emax
///     CEIL     b = field(a) - emax, and 1 more if a is no power of two
///     EVEN     b = field(a + half a unit of the format's mantissa, added to a's bits: 2^(22-m)) - emax
///     RCEIL    b = ⌈log2(a / max)⌉ + 127
///
/// then clamped to [0, 254]. A block that holds a NaN has `b` = 255.
///
/// **The logarithm of RCEIL is a float32**, in torchao: just above a power of two it rounds to the whole number below,
/// so that there the block's largest value is clamped by up to 22 units in its last place. It follows from the bits:
/// `log2(2^e (1 + n 2^-23))` is `e + n 2^-23 / ln 2`, and rounds to `e` if the second term is at most half the distance
/// of float32 numbers just above `e`. That distance is `2^(k-23)` for numbers of [2^k, 2^(k+1)), so what rounds away
/// is `n ≤ ln 2 · 2^(k-1)`: 22 units for 64 ≤ e, none for |e| < 4. Computing it by bits gives torch's result on a CPU
/// for every float32, and the same on every device, which no device's own `log2` promises.
///
/// **Quantize.** `d` is what values are divided by. It is the scale, with two exceptions in TORCHAO, both for `b` = 0:
/// `2^-126` instead of `2^-127`, and in RCEIL 1. Both only reach blocks below `2^-110`, and are copied.
///
///     q = the format's number nearest to x / d, half to even, clamped to its range
///
/// `b` = 255 gives NaN divided by NaN: the code of NaN, or 0 where there is none. (In TORCHAO and not RCEIL `d` is
/// infinite, so only the NaN itself has that code.) A negative zero keeps its sign in TORCHAO, and loses it else.
///
/// **Dequantize.** `y = ⌊q · 2^(b-127)⌉` in the type of the values. The product is exact but where it is subnormal
/// or overflows.
///
/// **Gradient.** The identity, whatever the [GradientRule]: `_MXQuantizedForwardFakeQuantizedBackward` passes it by
/// all clamps. Biases are trained; torchao's class gives them no gradient, since its `backward` returns None.
///
/// **Infinities** have the largest exponent bits, so that their block gets the largest scale or near it, and become
/// the format's largest number.
public record MxOracle(MxGrid grid) implements Oracle {
    private static final int NAN = 255;
    private static final int MAX_BYTE = 254;

    /// What a block is quantized with.
    ///
    /// @param divisor what values are divided by
    /// @param scale what codes are multiplied by
    public record Block(float divisor, float scale) {}

    @Override
    public Codes quantize(float[] x, int columns) {
        int group = grid.granularity().groupSize(columns);
        byte[] codes = new byte[x.length];
        float[] scales = new float[x.length / group];
        for (int b = 0; b < scales.length; b++) {
            Block block = choose(x, b * group, (b + 1) * group, grid);
            scales[b] = block.scale();
            for (int i = b * group; i < (b + 1) * group; i++) {
                codes[i] = grid.format().encode(scaled(x[i], block, grid));
            }
        }
        return new Codes(codes, scales, null, 1);
    }

    @Override
    public float[] dequantize(Codes q, int columns) {
        int group = grid.granularity().groupSize(columns);
        float[] y = new float[q.codes().length];
        for (int i = 0; i < y.length; i++) {
            y[i] = dequantize(grid.format().decode(q.codes()[i]), q.scales()[i / group], grid);
        }
        return y;
    }

    @Override
    public float[] gradient(float[] x, float[] upstream, int columns, GradientRule rule) {
        return upstream.clone();
    }

    /// What remains of one value after quantization.
    public static float fakeQuantize(float x, Block block, MxGrid grid) {
        return dequantize(grid.format().round(scaled(x, block, grid)), block.scale(), grid);
    }

    /// The scale of `x[from, to)`.
    public static Block choose(float[] x, int from, int to, MxGrid grid) {
        float amax = 0;
        for (int i = from; i < to; i++) {
            amax = Math.max(amax, Math.abs(x[i]));
        }
        return choose(amax, grid);
    }

    /// The scale of a block.
    ///
    /// @param amax its largest magnitude; NaN where it holds one
    public static Block choose(float amax, MxGrid grid) {
        int b = scaleByte(amax, grid);
        return new Block(divisor(b, grid), scale(b));
    }

    /// The byte that stands for the scale of a block.
    public static int scaleByte(float amax, MxGrid grid) {
        if (Float.isNaN(amax)) {
            return NAN;
        }
        MxFormat format = grid.format();
        int bits = Float.floatToRawIntBits(amax);
        int b = switch (grid.mode()) {
            case FLOOR -> field(bits) - format.maxExponent();
            case CEIL -> field(bits) + (mantissa(bits) > 0 ? 1 : 0) - format.maxExponent();
            case EVEN -> field(bits + evenAddend(format)) - format.maxExponent();
            case RCEIL -> {
                int quotient = Float.floatToRawIntBits(amax / format.max());
                yield field(quotient) + (mantissa(quotient) > slack(field(quotient)) ? 1 : 0);
            }
        };
        return Math.clamp(b, 0, MAX_BYTE);
    }

    /// What EVEN adds to the bits of the largest magnitude: half a unit of the format's mantissa.
    public static int evenAddend(MxFormat format) {
        return 1 << (22 - format.mantissaBits());
    }

    /// The largest mantissa that RCEIL takes for a power of two, of numbers with these exponent bits. Where they are 0,
    /// what counts are the subnormal numbers up to `2^-127`.
    public static int slack(int field) {
        int e = field - 127;
        // The number of this binade nearest to which float32 logarithms lie.
        int whole = e < 0 ? -e - 1 : e;
        int units = (int) (Math.log(2) * Integer.highestOneBit(whole) / 2);
        return field == 0 ? 0x400000 + units / 2 : units;
    }

    /// The number that a scale's byte stands for.
    public static float scale(int scaleByte) {
        return scaleByte == NAN ? Float.NaN : Math.scalb(1f, scaleByte - 127);
    }

    /// What the values of a block are divided by.
    public static float divisor(int scaleByte, MxGrid grid) {
        if (grid.numerics() != Numerics.TORCHAO) {
            return scale(scaleByte);
        }
        boolean rceil = grid.mode() == MxScaleMode.RCEIL;
        return switch (scaleByte) {
            case 0 -> rceil ? 1 : Float.MIN_NORMAL;
            case NAN -> rceil ? Float.NaN : Float.POSITIVE_INFINITY;
            default -> scale(scaleByte);
        };
    }

    /// A value in units of its block's scale, before it is rounded.
    private static float scaled(float x, Block block, MxGrid grid) {
        return (grid.numerics() == Numerics.TORCHAO ? x : x + 0f) / block.divisor();
    }

    private static float dequantize(float number, float scale, MxGrid grid) {
        return round(number * scale, grid.dtype());
    }

    private static int field(int bits) {
        return bits >>> 23;
    }

    private static int mantissa(int bits) {
        return bits & 0x7fffff;
    }
}
