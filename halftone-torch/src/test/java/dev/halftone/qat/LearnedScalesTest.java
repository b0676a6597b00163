package dev.halftone.qat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.nn.Parameter;
import dev.halftone.optim.AdamW;
import dev.halftone.optim.Gradients;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LearnedScalesTest {
    @ParameterizedTest
    @EnumSource(names = {"LSQ", "TORCHAO_RANGE_LEARNING"})
    void scalesAreTrainedBesideTheWeightsAndConvertedAsTheyAre(Numerics numerics) {
        IntxScheme scheme = new IntxScheme(3, new Granularity.PerGroup(32), true, numerics);
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            try (Scope _ = Scope.open();
                    HealthMonitor health = new HealthMonitor()) {
                TinyMlp model = new TinyMlp(dtype);
                Qat.prepare(model, QuantizationPlan.of(scheme).excluding("head"));
                Map<String, Parameter> parameters = model.allParameters();
                assertThat(parameters).containsKeys("layers.0.gate.weight", "layers.0.gate.weight_scale");
                assertThat(model.namedParameters()).doesNotContainKey("layers.0.gate.weight_scale");
                parameters.values().forEach(p -> p.setTrainable(true));
                Parameter scale = parameters.get("layers.0.gate.weight_scale");
                float[] start = Torch.floats(scale.master());
                Tensor x = model.input(5);
                double before = loss(model, x).item_double();
                health.measure(model);
                try (AdamW optimizer = new AdamW(parameters, AdamW.Settings.DEFAULT, 1)) {
                    for (int step = 0; step < 20; step++) {
                        loss(model, x).backward();
                        parameters.values().forEach(Parameter::collectGradient);
                        assertThat(Gradients.norm(parameters.values())).isFinite();
                        optimizer.step(1e-3);
                        Gradients.clear(parameters.values());
                    }
                }
                assertThat(Torch.floats(scale.master())).isNotEqualTo(start).doesNotContain(0);
                assertThat(loss(model, x).item_double()).isLessThan(before);
                assertThat(health.measure(model).get("layers.0.gate").scaleDrift())
                        .isPositive();

                float[] trained = Torch.floats(scale.master());
                try (NoGrad _ = NoGrad.open()) {
                    float[] prepared = Torch.floats(model.forward(x));
                    Qat.convert(model);
                    assertThat(Torch.floats(model.forward(x))).isEqualTo(prepared);
                }
                QuantizedWeight gate = (QuantizedWeight) model.gate.weight();
                assertThat(Torch.floats(gate.quantized().scale())).isEqualTo(trained);

                TinyMlp again = new TinyMlp(dtype);
                Qat.prepare(again, QuantizationPlan.of(scheme).excluding("head"));
                Qat.takeScales(again, model);
                Qat.convert(again);
                QuantizedWeight taken = (QuantizedWeight) again.gate.weight();
                assertThat(Torch.floats(taken.quantized().scale())).isEqualTo(trained);
            }
        }
    }

    private static Tensor loss(TinyMlp model, Tensor x) {
        Tensor y = Ops.to(model.forward(x), DType.F32);
        Tensor error = Ops.add(y, -1);
        return error.mul(error).mean();
    }
}
