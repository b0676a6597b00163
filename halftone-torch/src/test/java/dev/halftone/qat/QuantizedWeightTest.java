package dev.halftone.qat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.nn.Parameter;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class QuantizedWeightTest {
    private static QuantizedWeight down(int bits, Granularity granularity) {
        TinyMlp model = new TinyMlp(DType.BF16);
        Qat.quantize(model, QuantizationPlan.of(new IntxScheme(bits, granularity, false, Numerics.TORCHAO)));
        return (QuantizedWeight) model.down.weight();
    }

    @Test
    void valuesBelongToTheScopeThatAskedForThemAndRowsAreThoseOfTheValues() {
        for (Granularity granularity : List.of(new Granularity.PerAxis(), new Granularity.PerGroup(32))) {
            QuantizedWeight w = down(4, granularity);
            Tensor value;
            try (Scope _ = Scope.open()) {
                value = w.value();
                assertThat(value.requires_grad()).isFalse();
                Tensor ids = Torch.of(new int[] {3, 0, 3}, 1, 3);
                Tensor rows = w.rows(ids);
                assertThat(Torch.shape(rows)).containsExactly(1, 3, w.shape()[1]);
                assertThat(Torch.floats(rows)).isEqualTo(Torch.floats(Ops.embedding(value, ids)));
            }
            assertThat(value.isNull()).isTrue();
        }
    }

    @Test
    void partsThatDoNotFitAreRefused() {
        try (Scope _ = Scope.open()) {
            QuantizedWeight w = down(4, new Granularity.PerGroup(32));
            IntxScheme axis = new IntxScheme(4, new Granularity.PerAxis(), false, Numerics.TORCHAO);
            assertThatThrownBy(() -> new QuantizedWeight(axis, w.dtype(), w.dtype(), w.quantized()))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> new QuantizedWeight(w.scheme(), DType.F32, DType.F32, w.quantized()))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void theMastersAreLeftAsTheyAre() {
        try (Scope _ = Scope.open()) {
            TinyMlp model = new TinyMlp(DType.F32);
            Parameter p = (Parameter) model.down.weight();
            float[] before = Torch.floats(p.master());
            Qat.quantize(
                    model,
                    QuantizationPlan.of(new IntxScheme(4, new Granularity.PerGroup(32), true, Numerics.TORCHAO)));
            assertThat(Torch.floats(p.master())).isEqualTo(before);
        }
    }
}
