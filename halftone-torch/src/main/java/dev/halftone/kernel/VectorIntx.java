package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import dev.halftone.quant.IntxGrid;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import org.bytedeco.pytorch.Tensor;

/// intN over the memory of CPU tensors.
final class VectorIntx implements IntxKernel {
    private final IntxVectors vectors;
    private final VectorKernel kernel;

    VectorIntx(IntxGrid grid) {
        vectors = new IntxVectors(grid, null);
        kernel = new VectorKernel(grid, _ -> vectors);
    }

    @Override
    public Grid grid() {
        return kernel.grid();
    }

    @Override
    public Quantized quantize(Tensor x) {
        return kernel.quantize(x);
    }

    @Override
    public Tensor dequantize(Quantized quantized) {
        return kernel.dequantize(quantized);
    }

    @Override
    public void fakeQuantize(Tensor x, Tensor out) {
        kernel.fakeQuantize(x, out);
    }

    @Override
    public Tensor gradient(Tensor x, Tensor upstream, GradientRule rule) {
        return kernel.gradient(x, upstream, rule);
    }

    @Override
    public Stops stops(Tensor x, GradientRule rule) {
        Grid grid = grid();
        int group = GridKernel.group(x, grid);
        try (Scope scope = Scope.open()) {
            Tensor stopped = Torch.empty(DType.BOOL, Torch.shape(x));
            float[] scales = new float[Math.toIntExact(x.numel() / group)];
            MemorySegment from = Torch.memory(VectorKernel.contiguous(x));
            MemorySegment to = Torch.memory(stopped);
            VectorKernel.run(x, group, (first, last) -> {
                float[] tile = new float[group];
                for (int b = first; b < last; b++) {
                    Tiles.load(from, (long) b * group, tile, group, grid.dtype());
                    scales[b] = vectors.stops(tile, to, (long) b * group, rule);
                }
            });
            Reference.reachabilityFence(x);
            Tensor scale = Ops.to(Torch.of(scales, GridKernel.scaleShape(x, grid)), grid.scaleDtype());
            return new Stops(scope.keep(scale), scope.keep(stopped));
        }
    }
}
