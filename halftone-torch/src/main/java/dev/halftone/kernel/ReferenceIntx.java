package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.IntxOracle;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import org.bytedeco.pytorch.Tensor;

/// intN by the oracle.
final class ReferenceIntx implements IntxKernel {
    private final IntxGrid grid;
    private final ReferenceKernel kernel;

    ReferenceIntx(IntxGrid grid) {
        this.grid = grid;
        kernel = new ReferenceKernel(grid);
    }

    @Override
    public Grid grid() {
        return grid;
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
        return rule == GradientRule.IDENTITY ? upstream : kernel.gradient(x, upstream, rule);
    }

    @Override
    public Stops stops(Tensor x, GradientRule rule) {
        int group = GridKernel.group(x, grid);
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
        Tensor mask = Torch.of(MemorySegment.ofArray(stopped), DType.BOOL, Torch.shape(x));
        return new Stops(
                ReferenceKernel.filled(x, grid.scaleDtype(), Torch.of(scales, GridKernel.scaleShape(x, grid))),
                ReferenceKernel.filled(x, DType.BOOL, mask));
    }
}
