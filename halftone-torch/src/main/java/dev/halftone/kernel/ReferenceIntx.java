package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.IntxOracle;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The oracle itself, between copies of the values: one thread, any device.
final class ReferenceIntx implements IntxKernel {
    @Override
    public Quantized quantize(Tensor x, int group, IntxGrid grid) {
        long[] shape = IntxKernel.scaleShape(x, group, grid);
        IntxOracle.Quantized q = IntxOracle.quantize(Torch.floats(x), group, grid);
        Tensor codes = filled(x, DType.I8, Torch.shape(x), q.codes());
        Tensor scale = filled(x, grid.scaleDtype(), shape, q.scales());
        return new Quantized(codes, scale, grid.symmetric() ? null : filled(x, DType.I32, shape, q.zeroPoints()));
    }

    @Override
    public Tensor dequantize(Quantized quantized, IntxGrid grid) {
        float[] scales = Torch.floats(quantized.scale());
        IntxOracle.Quantized q = new IntxOracle.Quantized(
                bytes(quantized.codes()), scales, zeroPoints(quantized.zeroPoint(), scales.length));
        float[] y = IntxOracle.dequantize(q, quantized.group(), grid);
        return filled(quantized.codes(), grid.dtype(), Torch.shape(quantized.codes()), y);
    }

    @Override
    public void fakeQuantize(Tensor x, Tensor out, int group, IntxGrid grid) {
        IntxKernel.scaleShape(x, group, grid);
        float[] y = IntxOracle.fakeQuantize(Torch.floats(x), group, grid);
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            out.copy_(Torch.of(y, Torch.shape(x)));
        }
    }

    @Override
    public Tensor gradient(Tensor x, Tensor upstream, int group, IntxGrid grid, GradientRule rule) {
        if (rule == GradientRule.IDENTITY) {
            return upstream;
        }
        IntxKernel.scaleShape(x, group, grid);
        float[] g = IntxOracle.gradient(Torch.floats(x), Torch.floats(upstream), group, grid, rule);
        return filled(x, grid.dtype(), Torch.shape(x), g);
    }

    @Override
    public Stops stops(Tensor x, int group, IntxGrid grid, GradientRule rule) {
        long[] shape = IntxKernel.scaleShape(x, group, grid);
        float[] values = Torch.floats(x);
        float[] scales = new float[values.length / group];
        byte[] stopped = new byte[values.length];
        for (int b = 0; b < scales.length; b++) {
            IntxOracle.Block block = IntxOracle.choose(values, b * group, (b + 1) * group, grid);
            scales[b] = block.scale();
            for (int i = b * group; i < (b + 1) * group; i++) {
                stopped[i] = (byte) (IntxOracle.passes(values[i], block, grid, rule) ? 0 : 1);
            }
        }
        return new Stops(filled(x, grid.scaleDtype(), shape, scales), filled(x, DType.BOOL, Torch.shape(x), stopped));
    }

    private static byte[] bytes(Tensor codes) {
        long[] values = Torch.longs(codes);
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return bytes;
    }

    private static int[] zeroPoints(@Nullable Tensor zeroPoint, int count) {
        int[] ints = new int[count];
        if (zeroPoint != null) {
            long[] values = Torch.longs(zeroPoint);
            for (int i = 0; i < count; i++) {
                ints[i] = (int) values[i];
            }
        }
        return ints;
    }

    private static Tensor filled(Tensor like, DType dtype, long[] shape, byte[] values) {
        return filled(like, dtype, shape, Torch.of(MemorySegment.ofArray(values), DType.I8, shape));
    }

    private static Tensor filled(Tensor like, DType dtype, long[] shape, int[] values) {
        return filled(like, dtype, shape, Torch.of(MemorySegment.ofArray(values), DType.I32, shape));
    }

    private static Tensor filled(Tensor like, DType dtype, long[] shape, float[] values) {
        return filled(like, dtype, shape, Torch.of(values, shape));
    }

    /// A tensor on the device of `like`.
    private static Tensor filled(Tensor like, DType dtype, long[] shape, Tensor values) {
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            return scope.keep(Torch.emptyLike(like, dtype, shape).copy_(values));
        }
    }
}
