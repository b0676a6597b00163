package dev.halftone.kernel;

import static dev.halftone.kernel.AtenOps.number;
import static dev.halftone.kernel.AtenOps.passes;
import static dev.halftone.kernel.AtenOps.withoutNaN;

import dev.halftone.DType;
import dev.halftone.quant.AmaxGrid;
import dev.halftone.quant.AmaxOracle;
import dev.halftone.quant.Element;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The formulas of [AmaxOracle] as aten operators: for any device.
///
/// Tensors are seen as `[B, G]`, a block a row; B1 is one value a block. All arithmetic runs in float32 and
/// is rounded where the formulas say so.
///
/// @param given what every block is quantized with; null where each chooses for itself
record AtenAmax(AmaxGrid grid, AmaxOracle.@Nullable Block given) implements GridKernel {
    private static final float MODELOPT_TINY = 0x1p-24f;

    /// What blocks are quantized with, float32 `[B, 1]` each: see [AmaxOracle.Block].
    private record Blocks(Tensor amax, Tensor stored, Tensor in, Tensor out) {}

    @Override
    public Quantized quantize(Tensor x) {
        long[] scaleShape = GridKernel.scaleShape(x, grid);
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor x_BG = blocks(x);
            Blocks blocks = chosen(x_BG);
            Tensor codes = codes(nearest(scaled(x_BG, blocks))).view(Torch.shape(x));
            Tensor scale = Ops.to(blocks.stored, grid.scaleDtype()).reshape(scaleShape);
            return new Quantized(scope.keep(codes), scope.keep(scale), null, null);
        }
    }

    @Override
    public Tensor dequantize(Quantized quantized) {
        Tensor codes = quantized.codes();
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor stored_B1 = Ops.to(quantized.scale().reshape(-1, 1), DType.F32);
            Tensor out_B1 = grid.formula() == AmaxGrid.Formula.MODELOPT ? modelOpt(stored_B1).out : stored_B1;
            Tensor q_BG = grid.element() instanceof Element.Floats f ? Ops.view(codes.contiguous(), dtype(f)) : codes;
            Tensor y_BG = value(Ops.to(q_BG, DType.F32).reshape(out_B1.size(0), -1), out_B1);
            return scope.keep(Ops.to(y_BG, grid.dtype()).view(Torch.shape(codes)));
        }
    }

    @Override
    public void fakeQuantize(Tensor x, Tensor out) {
        GridKernel.group(x, grid);
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor x_BG = blocks(x);
            Blocks blocks = chosen(x_BG);
            Tensor y_BG = value(nearest(scaled(x_BG, blocks)), blocks.out);
            out.copy_(y_BG.view(Torch.shape(x)));
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
            Tensor g_BG = blocks(upstream);
            Blocks blocks = chosen(x_BG);
            Tensor t_BG = scaled(x_BG, blocks);
            Tensor stopped_BG = stopped(x_BG, t_BG, blocks, rule);
            Tensor gradient_BG;
            if (grid.differentiated()) {
                Tensor p_BG = Ops.maskedFill(ofCode(g_BG, blocks), stopped_BG, 0);
                gradient_BG = grid.multiplies() ? p_BG.mul(blocks.in) : p_BG.div(blocks.in);
                if (grid.scaleGradient()) {
                    Tensor share_B1 = share(x_BG, g_BG, t_BG, p_BG, largest(x_BG), blocks, rule);
                    gradient_BG = rounded(gradient_BG, grid.dtype()).add(shared(share_B1, x_BG, largest(x_BG)));
                }
            } else {
                gradient_BG = Ops.maskedFill(g_BG, stopped_BG, 0);
            }
            return scope.keep(Ops.to(gradient_BG, grid.dtype()).view(Torch.shape(x)));
        }
    }

    /// `[B, G]` in float32.
    private Tensor blocks(Tensor x) {
        Tensor x_BG = grid.granularity() instanceof Granularity.PerTensor
                ? x.reshape(1, -1)
                : x.reshape(-1, grid.granularity().groupSize(x.size(-1)));
        return Ops.to(x_BG, DType.F32);
    }

    private static Tensor largest(Tensor x_BG) {
        return Ops.amax(x_BG.abs(), -1);
    }

    private Blocks chosen(Tensor x_BG) {
        return given == null
                ? choose(largest(x_BG))
                : new Blocks(
                        number(x_BG, given.amax()),
                        number(x_BG, given.stored()),
                        number(x_BG, given.in()),
                        number(x_BG, given.out()));
    }

    private Blocks choose(Tensor largest_B1) {
        Tensor a_B1 = Ops.clamp(largest_B1, grid.lowest(), grid.highest());
        DType d = grid.dtype();
        return switch (grid.formula()) {
            case FLOAT8, FLOAT8_TORCHAO, FLOAT8_COMPRESSED -> {
                Tensor s_B1 = rounded(a_B1.div(number(a_B1, grid.element().max())), d);
                s_B1 = Ops.maskedFill(s_B1, s_B1.eq(new Scalar(0)), AmaxOracle.zeroScale(grid));
                yield new Blocks(a_B1, s_B1, s_B1, s_B1);
            }
            case MODELOPT -> modelOpt(a_B1);
            case INT4_TRAINING -> {
                Tensor s_B1 = rounded(a_B1.div(number(a_B1, AmaxOracle.steps(grid))), d)
                        .clamp_min(new Scalar(AmaxOracle.int4TrainingEps(grid)));
                yield new Blocks(a_B1, s_B1, rounded(s_B1.reciprocal(), d), s_B1);
            }
        };
    }

    private Blocks modelOpt(Tensor a_B1) {
        Tensor tiny_B1 = a_B1.le(new Scalar(MODELOPT_TINY));
        Tensor max = number(a_B1, grid.element().max());
        return switch (grid.element()) {
            case Element.Integers _ -> {
                Tensor r_B1 = max.div(a_B1);
                yield new Blocks(a_B1, a_B1, Ops.maskedFill(r_B1, tiny_B1, 0), Ops.maskedFill(r_B1, tiny_B1, 1));
            }
            case Element.Floats _ -> {
                Tensor r_B1 = Ops.maskedFill(a_B1, tiny_B1, 1).reciprocal().mul(max);
                yield new Blocks(a_B1, a_B1, r_B1, r_B1.reciprocal());
            }
        };
    }

    private Tensor scaled(Tensor x_BG, Blocks blocks) {
        Tensor t_BG = rounded(grid.multiplies() ? x_BG.mul(blocks.in) : x_BG.div(blocks.in), grid.carry());
        return grid.addsZero() ? Ops.add(t_BG, 0) : t_BG;
    }

    private Tensor nearest(Tensor t_BG) {
        Tensor clamped_BG = Ops.clamp(t_BG, grid.element().min(), grid.element().max());
        return switch (grid.element()) {
            case Element.Integers _ -> Ops.add_(clamped_BG.round(), 0);
            case Element.Floats f -> rounded(clamped_BG, dtype(f));
        };
    }

    private Tensor codes(Tensor number_BG) {
        return switch (grid.element()) {
            case Element.Integers _ -> Ops.to(withoutNaN(number_BG), DType.I8);
            case Element.Floats f ->
                Ops.maskedFill(
                        Ops.view(Ops.to(number_BG, dtype(f)), DType.U8),
                        number_BG.isnan(),
                        Byte.toUnsignedInt(Element.Floats.NAN));
        };
    }

    private static DType dtype(Element.Floats floats) {
        return switch (floats.format()) {
            case E4M3 -> DType.F8_E4M3;
            case E5M2 -> DType.F8_E5M2;
            default -> throw new IllegalArgumentException("torch has no " + floats.format());
        };
    }

    private Tensor value(Tensor number_BG, Tensor out_B1) {
        Tensor y_BG = grid.divides() ? number_BG.div(out_B1) : number_BG.mul(out_B1);
        return rounded(rounded(y_BG, grid.carry()), grid.dtype());
    }

    /// The gradient of codes that pass.
    private Tensor ofCode(Tensor g_BG, Blocks blocks) {
        Tensor p_BG = rounded(g_BG.mul(blocks.out), grid.carry());
        return grid.float8Gradient() ? nearest(p_BG) : p_BG;
    }

    /// What each value of the largest magnitude gets from the scale, before its sign: `[B, 1]`.
    private Tensor share(
            Tensor x_BG, Tensor g_BG, Tensor t_BG, Tensor p_BG, Tensor largest_B1, Blocks blocks, GradientRule rule) {
        DType c = grid.carry();
        DType d = grid.dtype();
        Tensor dOut_B1 = rounded(AtenSums.halving(rounded(g_BG.mul(nearest(t_BG)), c)), c);
        Tensor dIn_B1;
        if (grid.multiplies()) {
            Tensor square_B1 = rounded(blocks.in.mul(blocks.in), c);
            dIn_B1 = rounded(
                    rounded(AtenSums.halving(rounded(p_BG.mul(x_BG), c)), c)
                            .neg()
                            .mul(square_B1),
                    c);
        } else {
            dIn_B1 = rounded(AtenSums.halving(p_BG.neg().mul(x_BG.div(blocks.in).div(blocks.in))), c);
        }
        Tensor ds_B1 = rounded(rounded(dOut_B1.add(dIn_B1), c), d);
        Tensor da_B1 = rounded(ds_B1.div(number(ds_B1, AmaxOracle.steps(grid))), d);
        da_B1 = Ops.maskedFill(da_B1, flows(largest_B1, blocks, rule).logical_not(), 0);
        Tensor n_B1 = rounded(AtenSums.halving(Ops.to(x_BG.abs().eq(largest_B1), DType.F32)), d);
        return rounded(da_B1.div(n_B1), d);
    }

    /// The shares of the values, with their signs; all NaN where the share is.
    private static Tensor shared(Tensor share_B1, Tensor x_BG, Tensor largest_B1) {
        Tensor others_BG =
                x_BG.abs().eq(largest_B1).logical_or_(share_B1.isnan()).logical_not_();
        return Ops.maskedFill(share_B1.mul(x_BG.sign()), others_BG, 0);
    }

    private Tensor flows(Tensor largest_B1, Blocks blocks, GradientRule rule) {
        boolean open = rule == GradientRule.OPEN;
        Tensor s_B1 = rounded(blocks.amax.div(number(blocks.amax, AmaxOracle.steps(grid))), grid.dtype());
        if (grid.formula() == AmaxGrid.Formula.INT4_TRAINING) {
            Scalar eps = new Scalar(AmaxOracle.int4TrainingEps(grid));
            return open ? s_B1.gt(eps) : s_B1.ge(eps);
        }
        // No scale is -1.
        Tensor flows_B1 = s_B1.ne(new Scalar(grid.formula() == AmaxGrid.Formula.FLOAT8 ? 0 : -1));
        if (grid.lowest() > 0) {
            Scalar lowest = new Scalar(grid.lowest());
            flows_B1.logical_and_(open ? largest_B1.gt(lowest) : largest_B1.ge(lowest));
        }
        if (grid.highest() < Float.POSITIVE_INFINITY) {
            Scalar highest = new Scalar(grid.highest());
            flows_B1.logical_and_(open ? largest_B1.lt(highest) : largest_B1.le(highest));
        }
        return flows_B1;
    }

    /// True where the gradient stops; a NaN stops it.
    private Tensor stopped(Tensor x_BG, Tensor t_BG, Blocks blocks, GradientRule rule) {
        boolean open = rule == GradientRule.OPEN;
        Tensor passes_BG;
        if (grid.formula() == AmaxGrid.Formula.MODELOPT) {
            passes_BG = open ? x_BG.abs().lt(blocks.amax) : x_BG.abs().le(blocks.amax);
        } else {
            Tensor v_BG = grid.element() instanceof Element.Integers ? t_BG.round() : t_BG;
            passes_BG = passes(v_BG, grid.element().min(), grid.element().max(), rule);
        }
        return passes_BG.logical_not();
    }

    /// The nearest numbers of a type, in float32.
    private static Tensor rounded(Tensor t, DType dtype) {
        return Ops.to(Ops.to(t, dtype), DType.F32);
    }
}
