package dev.halftone.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.Golden;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.format.safetensors.TensorInfo;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class Nf4MatrixTest {
    @ParameterizedTest
    @ValueSource(strings = {"f32", "bf16", "equal"})
    void everyPartHasTheBitsOfTorchao(String name) {
        try (Scope _ = Scope.open();
                SafetensorsFile golden = SafetensorsFile.open(Golden.path("qlora/nf4.safetensors"))) {
            Nf4Matrix m = Nf4Matrix.of(tensor(golden, name + ".input"));
            List<String> names = List.of("codes", "scales", "factors", "mean");
            for (int i = 0; i < names.size(); i++) {
                Tensor expected = tensor(golden, name + "." + names.get(i));
                assertThat(m.parts().get(i).view(-1).equal(expected.view(-1)))
                        .as(names.get(i))
                        .isTrue();
            }
            Tensor values = tensor(golden, name + ".values");
            assertThat(m.dequantize(true).equal(values)).as("looked up").isTrue();
            assertThat(m.dequantize(false).equal(values)).as("gathered").isTrue();
        }
    }

    @Test
    void theLastScalesMayShareAFactor() {
        try (Scope _ = Scope.open()) {
            float[] values = new float[300 * 64];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) Math.sin(i * 0.37) * (1 + i % 7);
            }
            Tensor w_NK = Torch.of(values, 150, 128);
            Nf4Matrix m = Nf4Matrix.of(w_NK);
            assertThat(m.parts().get(2).numel()).isEqualTo(2);
            assertThat(m.bytes()).isEqualTo(300 * 32 + 300 + 2 * 4 + 4);
            // Levels lie up to 0.3 apart, of scales up to 7.
            assertThat(m.dequantize().sub(w_NK).abs().max().item_float()).isLessThan(1.1f);
        }
    }

    @Test
    void aMatrixIsMadeOfWholeBlocks() {
        try (Scope _ = Scope.open()) {
            Tensor w_NK = Torch.of(new float[96], 3, 32);
            assertThatThrownBy(() -> Nf4Matrix.of(w_NK)).hasMessageContaining("[3, 32]");
        }
    }

    private static Tensor tensor(SafetensorsFile file, String name) {
        TensorInfo info = file.info(name);
        return Ops.copy(Torch.of(file.data(name), info.dtype(), info.shape()));
    }
}
