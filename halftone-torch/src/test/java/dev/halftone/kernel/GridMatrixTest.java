package dev.halftone.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.Schemes;
import dev.halftone.quant.Grid;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class GridMatrixTest {
    @ParameterizedTest
    @MethodSource("dev.halftone.Schemes#all")
    void codesAreThoseThatWerePackedInAsFewBytesAsTheyFill(QuantScheme scheme) {
        Random random = new Random(1);
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            int columns = 2 * Schemes.unit(scheme);
            float[] values = new float[6 * columns];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextGaussian();
            }
            try (Scope _ = Scope.open()) {
                Grid grid = scheme.weights(dtype);
                Tensor x = Ops.to(Torch.of(values, 6, columns), dtype);
                GridKernel kernel = Kernels.of(null, grid, x);
                Quantized q = kernel.quantize(x);
                GridMatrix packed = GridMatrix.of(q, grid);
                Tensor all = kernel.dequantize(q);
                assertThat(packed.dequantize().equal(all)).isTrue();
                assertThat(packed.quantized(0, 6).codes().equal(q.codes())).isTrue();
                assertThat(packed.quantized(2, 3).codes().equal(q.codes().narrow(0, 2, 3)))
                        .isTrue();
                Tensor ids = Torch.of(new int[] {5, 0, 5, 3}, 2, 2);
                assertThat(packed.rows(ids).equal(Ops.embedding(all, ids))).isTrue();
                int perByte = grid.codeBits() <= 2 ? 4 : grid.codeBits() <= 4 ? 2 : 1;
                assertThat(packed.parts().getFirst().numel()).isEqualTo(6L * columns / perByte);
            }
        }
    }
}
