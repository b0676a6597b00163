package dev.halftone.kernel;

import static dev.halftone.kernel.AtenOps.number;

import dev.halftone.DType;
import dev.halftone.quant.GgufGrid;
import dev.halftone.quant.GgufLattice.Rule;
import dev.halftone.quant.GgufOracle;
import dev.halftone.quant.GradientRule;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/// The formulas of [GgufOracle] as aten operators: for any device.
///
/// Tensors are seen as float32 `[B, group]`, a block a row; B1 is one value a block.
record AtenGguf(GgufGrid grid) implements GridKernel {
    /// What a block is quantized with, float32 `[B, 1]` each, and the scale as it is stored.
    ///
    /// @param min null where the lattice has none
    private record Blocks(Tensor inverse, @Nullable Tensor min, Tensor scale) {}

    @Override
    public Quantized quantize(Tensor x) {
        long[] scaleShape = GridKernel.scaleShape(x, grid);
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor x_BG = blocks(x);
            Blocks blocks = choose(x_BG);
            Tensor codes = Ops.to(codes(x_BG, blocks), grid.codeDtype()).view(Torch.shape(x));
            Tensor minimum = blocks.min == null ? null : Ops.to(blocks.min, DType.F16);
            return new Quantized(
                    scope.keep(codes),
                    scope.keep(blocks.scale.reshape(scaleShape)),
                    minimum == null ? null : scope.keep(minimum.reshape(scaleShape)),
                    null);
        }
    }

    @Override
    public Tensor dequantize(Quantized quantized) {
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor y_BG = steps(quantized.codes().reshape(-1, grid.lattice().blockSize()))
                    .mul(Ops.to(quantized.scale().reshape(-1, 1), DType.F32));
            Tensor minimum = quantized.zeroPoint();
            if (minimum != null) {
                y_BG = y_BG.add(Ops.to(minimum.reshape(-1, 1), DType.F32));
            }
            return scope.keep(Ops.to(y_BG, grid.dtype()).view(Torch.shape(quantized.codes())));
        }
    }

    @Override
    public void fakeQuantize(Tensor x, Tensor out) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            out.copy_(dequantize(quantize(x)));
        }
    }

    @Override
    public Tensor gradient(Tensor x, Tensor upstream, GradientRule rule) {
        if (rule == GradientRule.IDENTITY) {
            return upstream;
        }
        GridKernel.group(x, grid);
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor x_BG = blocks(x);
            Tensor v_BG = position(x_BG, choose(x_BG));
            Tensor passes_BG = v_BG.ge(new Scalar(GgufOracle.lower(grid.lattice(), rule)))
                    .logical_and_(v_BG.lt(new Scalar(GgufOracle.upper(grid.lattice(), rule))));
            return scope.keep(Ops.maskedFill(upstream, passes_BG.logical_not().view(Torch.shape(x)), 0));
        }
    }

    private Tensor blocks(Tensor x) {
        return Ops.to(x.reshape(-1, GridKernel.group(x, grid)), DType.F32);
    }

    private Blocks choose(Tensor x_BG) {
        return switch (grid.lattice().rule()) {
            case EXTREME ->
                blocks(first(x_BG, x_BG.abs()).div(number(x_BG, grid.lattice().qmin())), null);
            case RANGE -> {
                Tensor min_B1 = first(x_BG, x_BG.neg());
                Tensor range_B1 = first(x_BG, x_BG).sub(min_B1);
                yield blocks(range_B1.div(number(x_BG, grid.lattice().qmax())), min_B1);
            }
            case MAGNITUDE ->
                blocks(Ops.amax(x_BG.abs(), -1).div(number(x_BG, grid.lattice().qmax())), null);
            case E2M1 -> {
                Tensor scale_B1 = powerOfTwo(Ops.amax(x_BG.abs(), -1));
                yield new Blocks(Ops.to(scale_B1, DType.F32).reciprocal(), null, scale_B1);
            }
        };
    }

    private static Blocks blocks(Tensor d_B1, @Nullable Tensor min_B1) {
        Tensor zero_B1 = d_B1.eq(new Scalar(0));
        return new Blocks(Ops.maskedFill(d_B1.reciprocal(), zero_B1, 0), min_B1, Ops.to(d_B1, DType.F16));
    }

    /// Of each row of `x`, the first of those values that have the largest key; a NaN is larger than all.
    private static Tensor first(Tensor x_BG, Tensor key_BG) {
        return x_BG.gather(-1, Ops.argmax(key_BG, -1).unsqueeze(-1));
    }

    /// The e8m0 scale of a block, from its largest magnitude. Its byte is the exponent, 255 the NaN.
    private static Tensor powerOfTwo(Tensor magnitude_B1) {
        Tensor log2_B1 = Ops.to(Ops.to(magnitude_B1, DType.F64).log2(), DType.F32);
        Tensor exponent_B1 = Ops.clamp(Ops.add(log2_B1.floor(), 127 - 2), 0, 255);
        Tensor byte_B1 = exponent_B1.nan_to_num(new DoubleOptional(255), new DoubleOptional(), new DoubleOptional());
        return Ops.to(byte_B1, DType.U8).view(torch.ScalarType.Float8_e8m0fnu);
    }

    private Tensor position(Tensor x_BG, Blocks blocks) {
        Tensor u_BG = (blocks.min == null ? x_BG : x_BG.sub(blocks.min)).mul(blocks.inverse);
        return switch (grid.lattice().rule()) {
            case EXTREME, RANGE -> Ops.add(u_BG, 0.5f - grid.lattice().qmin());
            case MAGNITUDE, E2M1 -> u_BG.abs();
        };
    }

    /// Codes, as float32.
    private Tensor codes(Tensor x_BG, Blocks blocks) {
        int qmin = grid.lattice().qmin();
        int qmax = grid.lattice().qmax();
        Tensor v_BG = position(x_BG, blocks)
                .nan_to_num(
                        new DoubleOptional(0),
                        new DoubleOptional(Double.POSITIVE_INFINITY),
                        new DoubleOptional(Double.NEGATIVE_INFINITY));
        Tensor negative_BG = x_BG.lt(new Scalar(0));
        return switch (grid.lattice().rule()) {
            case EXTREME, RANGE -> Ops.add(Ops.clamp(v_BG.trunc(), 0, qmax - qmin), qmin);
            case MAGNITUDE -> {
                Tensor inside_BG = Ops.clamp(v_BG, 0, qmax);
                Tensor whole_BG = inside_BG.trunc();
                Tensor q_BG = whole_BG.add(inside_BG.sub(whole_BG).ge(new Scalar(0.5)));
                yield q_BG.where(negative_BG.logical_not(), q_BG.neg());
            }
            case E2M1 -> {
                Tensor q_BG =
                        Torch.emptyLike(v_BG, DType.F32, Torch.shape(v_BG)).zero_();
                for (int i = 0; i < GgufOracle.midpoints(); i++) {
                    q_BG = q_BG.add(v_BG.gt(new Scalar(GgufOracle.midpoint(i))));
                }
                Tensor sign_BG = negative_BG.logical_and_(q_BG.gt(new Scalar(0)));
                yield q_BG.add(Ops.mul(Ops.to(sign_BG, DType.F32), 8));
            }
        };
    }

    /// How many steps codes stand for, as float32.
    private Tensor steps(Tensor codes_BG) {
        if (grid.lattice().rule() != Rule.E2M1) {
            return Ops.to(codes_BG, DType.F32);
        }
        float[] steps = new float[16];
        for (int code = 0; code < steps.length; code++) {
            steps[code] = GgufOracle.steps(code, grid.lattice());
        }
        Tensor table = Ops.toDeviceOf(Torch.of(steps, steps.length), codes_BG);
        return table.take(Ops.to(codes_BG, DType.I64));
    }
}
