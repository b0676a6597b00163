package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.IntxGrid;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import org.bytedeco.pytorch.Tensor;

/// [VectorBlocks] over the memory of CPU tensors, on as many threads as libtorch uses.
final class VectorIntx implements IntxKernel {
    /// Dequantizing happens once for each weight, after `convert`.
    private final AtenIntx aten = new AtenIntx();

    @Override
    public Quantized quantize(Tensor x, int group, IntxGrid grid) {
        long[] scaleShape = IntxKernel.scaleShape(x, group, grid);
        try (Scope scope = Scope.open()) {
            Tensor from = contiguous(x);
            Tensor codes = Torch.empty(DType.I8, Torch.shape(x));
            int blocks = blocks(x, group);
            float[] scales = new float[blocks];
            int[] zeroPoints = new int[blocks];
            MemorySegment in = Torch.memory(from);
            MemorySegment out = Torch.memory(codes);
            Parallel.run(
                    blocks,
                    group,
                    (first, last) -> VectorBlocks.quantize(in, out, scales, zeroPoints, first, last, group, grid));
            Reference.reachabilityFence(x);
            Tensor scale = scope.keep(Ops.to(Torch.of(scales, scaleShape), grid.scaleDtype()));
            Tensor zeroPoint = grid.symmetric()
                    ? null
                    : scope.keep(Torch.of(MemorySegment.ofArray(zeroPoints), DType.I32, scaleShape));
            return new Quantized(scope.keep(codes), scale, zeroPoint);
        }
    }

    @Override
    public Tensor dequantize(Quantized quantized, IntxGrid grid) {
        return aten.dequantize(quantized, grid);
    }

    @Override
    public void fakeQuantize(Tensor x, Tensor out, int group, IntxGrid grid) {
        IntxKernel.scaleShape(x, group, grid);
        try (Scope _ = Scope.open()) {
            MemorySegment from = Torch.memory(contiguous(x));
            MemorySegment to = Torch.memory(out);
            Parallel.run(
                    blocks(x, group),
                    group,
                    (first, last) -> VectorBlocks.fakeQuantize(from, to, first, last, group, grid));
            Reference.reachabilityFence(x);
            Reference.reachabilityFence(out);
        }
    }

    @Override
    public Tensor gradient(Tensor x, Tensor upstream, int group, IntxGrid grid, GradientRule rule) {
        if (rule == GradientRule.IDENTITY) {
            return upstream;
        }
        IntxKernel.scaleShape(x, group, grid);
        try (Scope scope = Scope.open()) {
            Tensor out = Torch.empty(grid.dtype(), Torch.shape(x));
            MemorySegment from = Torch.memory(contiguous(x));
            MemorySegment gradient = Torch.memory(contiguous(upstream));
            MemorySegment to = Torch.memory(out);
            Parallel.run(
                    blocks(x, group),
                    group,
                    (first, last) -> VectorBlocks.gradient(from, gradient, to, first, last, group, grid, rule));
            Reference.reachabilityFence(x);
            Reference.reachabilityFence(upstream);
            return scope.keep(out);
        }
    }

    @Override
    public Stops stops(Tensor x, int group, IntxGrid grid, GradientRule rule) {
        long[] scaleShape = IntxKernel.scaleShape(x, group, grid);
        try (Scope scope = Scope.open()) {
            Tensor stopped = Torch.empty(DType.BOOL, Torch.shape(x));
            float[] scales = new float[blocks(x, group)];
            MemorySegment from = Torch.memory(contiguous(x));
            MemorySegment to = Torch.memory(stopped);
            Parallel.run(
                    scales.length,
                    group,
                    (first, last) -> VectorBlocks.stops(from, to, scales, first, last, group, grid, rule));
            Reference.reachabilityFence(x);
            Tensor scale = Ops.to(Torch.of(scales, scaleShape), grid.scaleDtype());
            return new Stops(scope.keep(scale), scope.keep(stopped));
        }
    }

    private static Tensor contiguous(Tensor t) {
        if (!t.is_cpu()) {
            throw new InputException("kernels=vector works on CPU tensors only. Use kernels=aten on this device.");
        }
        return t.detach().contiguous();
    }

    private static int blocks(Tensor x, int group) {
        return Math.toIntExact(x.numel() / group);
    }
}
