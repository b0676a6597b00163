package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/// A matrix in NF4 with double quantization (Dettmers et al. 2023, QLoRA), by the numbers of torchao's `to_nf4`:
/// 4.13 bits a weight.
///
/// Blocks are 64 neighbours of the flattened matrix, whose largest magnitude is their scale. All arithmetic is in the
/// dtype of the matrix, `⌊·⌉` rounds half to even:
///
/// ```text
/// code      of the level nearest to w / scale, of two the lower; 0 where that is no number
/// mean      of all scales
/// factor    256 / (2 · max |scale - mean|) over 256 neighbouring scales
/// stored    ⌊(scale - mean) · factor⌉, clamped to a signed byte
/// value     level[code] · (stored / factor + mean)
/// ```
///
/// Levels are the quantiles of a normal distribution that the paper's appendix lists, in the four digits that torchao
/// has. torchao refuses matrices whose scales are no multiple of 256; here the last of them share a factor.
public final class Nf4Matrix implements PackedMatrix {
    /// Weights under a scale.
    public static final int BLOCK = 64;

    private static final int SCALES = 256;
    private static final float[] LEVELS = {
        -1, -0.6962f, -0.5251f, -0.3949f, -0.2844f, -0.1848f, -0.0911f, 0, 0.0796f, 0.1609f, 0.2461f, 0.3379f, 0.4407f,
        0.5626f, 0.7230f, 1
    };

    private final long[] shape;
    private final Tensor codes;
    private final Tensor scales_B;
    private final Tensor factors_S;
    private final Tensor mean;

    /// @param shape `[N, K]`
    /// @param codes uint8 `[N K / 2]`, the first of two weights in the upper half
    /// @param scales_B int8, one a block
    /// @param factors_S one for 256 blocks, in the dtype of the values
    /// @param mean `[]`
    private Nf4Matrix(long[] shape, Tensor codes, Tensor scales_B, Tensor factors_S, Tensor mean) {
        this.shape = shape;
        this.codes = codes;
        this.scales_B = scales_B;
        this.factors_S = factors_S;
        this.mean = mean;
    }

    /// Quantizes a matrix.
    ///
    /// @param w_NK float32 or bfloat16, on any device
    /// @throws IllegalArgumentException if it is not made of whole blocks
    public static Nf4Matrix of(Tensor w_NK) {
        if (w_NK.numel() % BLOCK != 0) {
            throw new IllegalArgumentException("%s is not made of blocks of 64".formatted(shapeOf(w_NK)));
        }
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor w_BG = w_NK.detach().reshape(-1, BLOCK);
            Tensor scale_B1 = Ops.amax(w_BG.abs(), -1);
            Tensor mean = scale_B1.view(-1).mean();
            Tensor centred_B = scale_B1.sub(mean).view(-1);
            Tensor factors_S = Ops.mul(Ops.mul(largest(centred_B), 2).reciprocal(), SCALES);
            Tensor stored_B = Ops.clamp(
                    centred_B.mul(perBlock(factors_S, centred_B.numel())).round(), -128, 127);
            return new Nf4Matrix(
                    Torch.shape(w_NK),
                    scope.keep(packed(w_BG, scale_B1)),
                    scope.keep(Ops.to(AtenOps.withoutNaN(stored_B), DType.I8)),
                    scope.keep(factors_S),
                    scope.keep(mean));
        }
    }

    private static String shapeOf(Tensor t) {
        return Arrays.toString(Torch.shape(t));
    }

    /// The largest magnitude of each 256.
    private static Tensor largest(Tensor x_B) {
        long blocks = x_B.numel();
        long groups = (blocks + SCALES - 1) / SCALES;
        Tensor padded = Torch.emptyLike(x_B, Torch.dtype(x_B), groups * SCALES).zero_();
        padded.narrow(0, 0, blocks).copy_(x_B);
        return Ops.amax(padded.view(groups, SCALES).abs(), -1).view(-1);
    }

    private static Tensor perBlock(Tensor x_S, long blocks) {
        return x_S.unsqueeze(1).expand(x_S.numel(), SCALES).reshape(-1).narrow(0, 0, blocks);
    }

    /// The nearest level of each weight, two a byte.
    private static Tensor packed(Tensor w_BG, Tensor scale_B1) {
        Tensor v_BG = w_BG.div(scale_B1);
        Tensor best_BG = Ops.fill_(Ops.copy(v_BG), Double.POSITIVE_INFINITY);
        Tensor code_BG = Torch.emptyLike(v_BG, DType.U8, Torch.shape(v_BG)).zero_();
        for (int i = 0; i < LEVELS.length; i++) {
            try (Scope _ = Scope.open()) {
                Tensor distance_BG = v_BG.sub(level(i, v_BG)).abs();
                code_BG.masked_fill_(distance_BG.lt(best_BG), new Scalar(i));
                best_BG.copy_(distance_BG.minimum(best_BG));
            }
        }
        Tensor pairs = code_BG.view(-1, 2);
        return pairs.select(1, 0).mul(new Scalar(16)).add(pairs.select(1, 1));
    }

    private static Tensor level(int code, Tensor like) {
        return AtenOps.number(like, LEVELS[code]);
    }

    @Override
    public long[] shape() {
        return shape.clone();
    }

    @Override
    public Tensor dequantize() {
        return dequantize(codes.is_cpu());
    }

    /// @param here whether the levels are looked up in Java, else by torch
    Tensor dequantize(boolean here) {
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            DType dtype = Torch.dtype(mean);
            Tensor scale_B1 = Ops.to(scales_B, dtype)
                    .div(perBlock(factors_S, scales_B.numel()))
                    .add(mean)
                    .unsqueeze(1);
            Tensor levels_L = Ops.to(Ops.toDeviceOf(Torch.of(LEVELS, LEVELS.length), mean), dtype);
            // All that a block's codes can stand for.
            Tensor values_BL = levels_L.mul(scale_B1);
            return scope.keep((here ? lookUp(values_BL) : gather(values_BL)).view(shape));
        }
    }

    private Tensor gather(Tensor values_BL) {
        Tensor upper = codes.bitwise_right_shift(new Scalar(4));
        Tensor lower = codes.bitwise_and(new Scalar(15));
        Tensor code_BG = Ops.stack(List.of(upper, lower), -1).view(-1, BLOCK);
        return values_BL.gather(1, Ops.to(code_BG, DType.I64));
    }

    private Tensor lookUp(Tensor values_BL) {
        Tensor out = Torch.emptyLike(codes, Torch.dtype(values_BL), shape);
        MemorySegment table = Torch.memory(values_BL);
        MemorySegment from = Torch.memory(codes);
        MemorySegment to = Torch.memory(out);
        boolean wide = Torch.dtype(values_BL) == DType.F32;
        Parallel.run(Math.toIntExact(scales_B.numel()), BLOCK, (first, end) -> {
            if (wide) {
                wide(from, table, to, first, end);
            } else {
                narrow(from, table, to, first, end);
            }
        });
        return out;
    }

    private static void wide(MemorySegment codes, MemorySegment table, MemorySegment to, int first, int end) {
        int[] values = new int[LEVELS.length];
        int[] out = new int[BLOCK];
        for (int b = first; b < end; b++) {
            MemorySegment.copy(table, ValueLayout.JAVA_INT, 4L * LEVELS.length * b, values, 0, values.length);
            for (int i = 0; i < BLOCK / 2; i++) {
                int code = codes.get(ValueLayout.JAVA_BYTE, (long) BLOCK / 2 * b + i);
                out[2 * i] = values[code >> 4 & 15];
                out[2 * i + 1] = values[code & 15];
            }
            MemorySegment.copy(out, 0, to, ValueLayout.JAVA_INT, 4L * BLOCK * b, BLOCK);
        }
    }

    private static void narrow(MemorySegment codes, MemorySegment table, MemorySegment to, int first, int end) {
        short[] values = new short[LEVELS.length];
        short[] out = new short[BLOCK];
        for (int b = first; b < end; b++) {
            MemorySegment.copy(table, ValueLayout.JAVA_SHORT, 2L * LEVELS.length * b, values, 0, values.length);
            for (int i = 0; i < BLOCK / 2; i++) {
                int code = codes.get(ValueLayout.JAVA_BYTE, (long) BLOCK / 2 * b + i);
                out[2 * i] = values[code >> 4 & 15];
                out[2 * i + 1] = values[code & 15];
            }
            MemorySegment.copy(out, 0, to, ValueLayout.JAVA_SHORT, 2L * BLOCK * b, BLOCK);
        }
    }

    /// The packed codes, the stored scales, their factors, and the mean of the scales.
    @Override
    public List<Tensor> parts() {
        return List.of(codes, scales_B, factors_S, mean);
    }
}
