package dev.halftone.qat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.nn.Parameter;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class QuantizedWeightTest {
    private static QuantizedWeight down(int bits, Granularity granularity) {
        TinyMlp model = new TinyMlp(DType.BF16);
        Qat.quantize(model, QuantizationPlan.of(new IntxScheme(bits, granularity, false, Numerics.TORCHAO)));
        return (QuantizedWeight) model.down.weight();
    }

    @Test
    void valuesAreComputedOnceAndOutliveTheirScope() {
        QuantizedWeight w = down(4, new Granularity.PerAxis());
        Tensor value;
        try (Scope _ = Scope.open()) {
            value = w.value();
        }
        try (Scope _ = Scope.open()) {
            assertThat(w.value()).isSameAs(value);
            assertThat(value.isNull()).isFalse();
            assertThat(value.requires_grad()).isFalse();
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
