package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Oracle;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// A grid's oracle itself, between copies of the values: one thread, any device.
record ReferenceKernel(Grid grid) implements GridKernel {
    @Override
    public Quantized quantize(Tensor x) {
        long[] scaleShape = GridKernel.scaleShape(x, grid);
        Oracle.Codes q = grid.oracle().quantize(Torch.floats(x), columns(x));
        return tensors(x, q, scaleShape);
    }

    @Override
    public Tensor dequantize(Quantized q) {
        float[] y = grid.oracle().dequantize(codes(q), columns(q.codes()));
        return filled(q.codes(), grid.dtype(), Torch.of(y, Torch.shape(q.codes())));
    }

    @Override
    public void fakeQuantize(Tensor x, Tensor out) {
        GridKernel.group(x, grid);
        float[] y = grid.oracle().fakeQuantize(Torch.floats(x), columns(x));
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            out.copy_(Torch.of(y, Torch.shape(x)));
        }
    }

    @Override
    public Tensor gradient(Tensor x, Tensor upstream, GradientRule rule) {
        GridKernel.group(x, grid);
        float[] g = grid.oracle().gradient(Torch.floats(x), Torch.floats(upstream), columns(x), rule);
        return filled(x, grid.dtype(), Torch.of(g, Torch.shape(x)));
    }

    /// The codes and scales of an oracle as tensors on the device of `x`.
    Quantized tensors(Tensor x, Oracle.Codes q, long[] scaleShape) {
        float[] zeroPoints = q.zeroPoints();
        DType zeroPointDtype = grid.zeroPointDtype();
        Tensor codes = Torch.of(MemorySegment.ofArray(q.codes()), grid.codeDtype(), Torch.shape(x));
        return new Quantized(
                filled(x, grid.codeDtype(), codes),
                filled(x, grid.scaleDtype(), Torch.of(q.scales(), scaleShape)),
                zeroPoints == null || zeroPointDtype == null
                        ? null
                        : filled(x, zeroPointDtype, Torch.of(zeroPoints, scaleShape)),
                grid.wholeTensor() ? filled(x, DType.F32, Torch.of(new float[] {q.tensorScale()}, 1)) : null);
    }

    /// The codes and scales of tensors as an oracle's.
    static Oracle.Codes codes(Quantized q) {
        try (Scope _ = Scope.open()) {
            byte[] codes = Torch.memory(q.codes().cpu().contiguous()).toArray(ValueLayout.JAVA_BYTE);
            return new Oracle.Codes(
                    codes,
                    Torch.floats(q.scale()),
                    floats(q.zeroPoint()),
                    q.tensorScale() == null ? 1 : Torch.floats(q.tensorScale())[0]);
        }
    }

    private static float @Nullable [] floats(@Nullable Tensor t) {
        return t == null ? null : Torch.floats(t);
    }

    private static int columns(Tensor x) {
        return Math.toIntExact(x.size(-1));
    }

    /// A tensor on the device of `like`.
    static Tensor filled(Tensor like, DType dtype, Tensor values) {
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            return scope.keep(Torch.emptyLike(like, dtype, Torch.shape(values)).copy_(values));
        }
    }
}
