package dev.halftone.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.kernel.Kernels;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Grid;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PackedCodesTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
    void packedCodesAreTheCodesAgain(int bits) {
        try (Scope _ = Scope.open()) {
            Grid grid = grid(bits);
            Tensor codes = Kernels.REFERENCE.of(grid).quantize(weights()).codes();
            Tensor packed = PackedCodes.pack(codes, grid);
            assertThat(Torch.shape(packed)).containsExactly(64, 96 * bits / 32);
            assertThat(Torch.longs(PackedCodes.unpack(packed, 96, grid))).isEqualTo(Torch.longs(codes));
        }
    }

    @Test
    void rowsOfAnotherLengthAreRefused() {
        try (Scope _ = Scope.open()) {
            Tensor packed = Torch.zeros(DType.I32, 64, 24);
            assertThatThrownBy(() -> PackedCodes.unpack(packed, 90, grid(8)))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    private static Grid grid(int bits) {
        return new IntxScheme(bits, new Granularity.PerGroup(32), false, Numerics.TORCHAO).weights(DType.F32);
    }

    private static Tensor weights() {
        Random random = new Random(1);
        float[] values = new float[64 * 96];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Torch.of(values, 64, 96);
    }
}
