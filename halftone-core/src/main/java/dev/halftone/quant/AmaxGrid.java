package dev.halftone.quant;

import dev.halftone.DType;
import org.jspecify.annotations.Nullable;

/// Blocks that are scaled by their largest magnitude, the amax, to fill the range of an element: float8 as
/// torchao, compressed-tensors and ModelOpt have it, ModelOpt's integers, and the int4 weights beside float8
/// activations.
///
/// [AmaxOracle] is the arithmetic itself.
///
/// @param formula whose arithmetic this is
/// @param element what values are mapped to
/// @param dtype type of the values, in which the amax is found
/// @param granularity which neighbours share a scale
/// @param lowest the least that an amax counts as; 0 for no such bound
/// @param highest the most that an amax counts as; infinity for no such bound
/// @param scaleGradient whether gradients flow through the scale too, as in torchao: into the largest
///     magnitude
/// @param float8Gradient whether the gradient of a code is itself rounded to the element, as in torchao,
///     where that flushes most of it to zero
public record AmaxGrid(
        Formula formula,
        Element element,
        DType dtype,
        Granularity granularity,
        float lowest,
        float highest,
        boolean scaleGradient,
        boolean float8Gradient)
        implements Grid {
    /// Whose arithmetic, as [AmaxOracle] writes it down.
    public enum Formula {
        /// torchao's float8, finite for blocks of zeros.
        FLOAT8,
        /// torchao's float8 to the letter: a block of zeros is NaN.
        FLOAT8_TORCHAO,
        /// compressed-tensors' float8.
        FLOAT8_COMPRESSED,
        /// ModelOpt's float8 and integers.
        MODELOPT,
        /// The int4 weights that torchao trains beside float8 activations, and never stores.
        INT4_TRAINING
    }

    private static final Element E4M3 = new Element.Floats(MiniFloat.E4M3);

    public AmaxGrid {
        boolean differentiated = formula == Formula.FLOAT8 || formula == Formula.FLOAT8_TORCHAO;
        if ((scaleGradient && !differentiated && formula != Formula.INT4_TRAINING)
                || (float8Gradient && !differentiated)) {
            throw new IllegalArgumentException("no library differentiates " + formula + " like that");
        }
    }

    /// e4m3 by one of the float8 formulas.
    public static AmaxGrid float8(Formula formula, DType dtype, Granularity granularity) {
        return new AmaxGrid(formula, E4M3, dtype, granularity, 0, Float.POSITIVE_INFINITY, false, false);
    }

    /// ModelOpt's integers, or its e4m3.
    public static AmaxGrid modelOpt(Element element, DType dtype, Granularity granularity) {
        return new AmaxGrid(Formula.MODELOPT, element, dtype, granularity, 0, Float.POSITIVE_INFINITY, false, false);
    }

    /// The int4 weights that torchao trains beside float8 activations, less the rounding to float8 that comes
    /// before.
    public static AmaxGrid int4Training(DType dtype, Granularity granularity) {
        return new AmaxGrid(
                Formula.INT4_TRAINING,
                Element.Integers.of(4),
                dtype,
                granularity,
                0,
                Float.POSITIVE_INFINITY,
                false,
                false);
    }

    /// The same with an amax that counts as no less than `lowest` and no more than `highest`, rounded to the
    /// dtype as torch's clamp does.
    public AmaxGrid bounded(float lowest, float highest) {
        return new AmaxGrid(
                formula,
                element,
                dtype,
                granularity,
                Rounding.round(lowest, dtype),
                Rounding.round(highest, dtype),
                scaleGradient,
                float8Gradient);
    }

    /// The same with a gradient through the scale.
    ///
    /// @param inFloat8 whether the gradient of a code is rounded to the element
    public AmaxGrid withScaleGradient(boolean inFloat8) {
        return new AmaxGrid(formula, element, dtype, granularity, lowest, highest, true, inFloat8);
    }

    /// The same numbers with other blocks.
    public AmaxGrid with(Granularity blocks) {
        return new AmaxGrid(formula, element, dtype, blocks, lowest, highest, scaleGradient, float8Gradient);
    }

    /// The same numbers for values of another type.
    public AmaxGrid with(DType values) {
        return new AmaxGrid(formula, element, values, granularity, lowest, highest, scaleGradient, float8Gradient);
    }

    /// Type of the arithmetic between the scale and the codes.
    public DType carry() {
        return switch (formula) {
            case FLOAT8, FLOAT8_TORCHAO, MODELOPT -> DType.F32;
            case FLOAT8_COMPRESSED, INT4_TRAINING -> dtype;
        };
    }

    /// Whether values are multiplied by the reciprocal of a step, rather than divided by the step.
    public boolean multiplies() {
        return formula == Formula.MODELOPT || formula == Formula.INT4_TRAINING;
    }

    /// Whether a zero point of 0 is added to values that are scaled: the zero of either sign becomes +0.
    public boolean addsZero() {
        return formula == Formula.FLOAT8_COMPRESSED;
    }

    /// Whether codes are divided by the reciprocal of a step, rather than multiplied by the step.
    public boolean divides() {
        return formula == Formula.MODELOPT && element instanceof Element.Integers;
    }

    /// Whether torch's autograd differentiates this formula, so that a gradient is multiplied by the scale
    /// and divided by it again.
    public boolean differentiated() {
        return formula == Formula.FLOAT8 || formula == Formula.FLOAT8_TORCHAO || formula == Formula.INT4_TRAINING;
    }

    @Override
    public DType codeDtype() {
        return element.codeDtype();
    }

    @Override
    public int codeBits() {
        return element.bits();
    }

    @Override
    public DType scaleDtype() {
        return switch (formula) {
            case FLOAT8, FLOAT8_TORCHAO, MODELOPT -> DType.F32;
            case FLOAT8_COMPRESSED, INT4_TRAINING -> dtype;
        };
    }

    @Override
    public @Nullable DType zeroPointDtype() {
        return null;
    }

    @Override
    public Oracle oracle() {
        return new AmaxOracle(this);
    }
}
