package dev.halftone.qat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.AllSchemes;
import dev.halftone.DType;
import dev.halftone.Schemes;
import dev.halftone.nn.Parameter;
import dev.halftone.optim.AdamW;
import dev.halftone.optim.Gradients;
import dev.halftone.peft.Adapters;
import dev.halftone.peft.LoraSettings;
import dev.halftone.quant.Calibration;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/// In the merged form, what is trained is what merging and quantizing ship: no code differs.
class MergeExactnessTest {
    @AllSchemes.Trainable
    void mergedAndQuantizedIsWhatWasTrained(QuantScheme scheme) {
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            for (boolean dora : new boolean[] {false, true}) {
                try (Scope _ = Scope.open()) {
                    TinyMlp model = new TinyMlp(dtype, Schemes.unit(scheme));
                    LoraSettings settings = new LoraSettings(4, 8, false, dora, 0, LoraSettings.Form.MERGED);
                    Adapters.attach(model, settings, List.of("layers.*"), 1);
                    Qat.prepare(model, QuantizationPlan.of(scheme).excluding("head"));
                    Tensor x = model.input(5);
                    if (InputCalibration.missing(model)) {
                        InputCalibration.run(model, Calibration.MINMAX, () -> model.forward(x));
                    }
                    float[] base = Torch.floats(((Parameter) model.gate.weight()).master());
                    train(model, x);
                    assertThat(Torch.floats(((Parameter) model.gate.weight()).master()))
                            .as("the frozen weight")
                            .isEqualTo(base);

                    float[] trained = output(model, x);
                    Adapters.merge(model);
                    assertThat(output(model, x)).isEqualTo(trained);
                    Qat.convert(model);
                    assertThat(output(model, x)).isEqualTo(trained);
                    assertThat(model.gate.weight()).isInstanceOf(QuantizedWeight.class);
                }
            }
        }
    }

    /// Adapters and learned scales, until the second factor has left zero.
    private static void train(TinyMlp model, Tensor x) {
        Map<String, Parameter> trained = new LinkedHashMap<>();
        model.allParameters().forEach((name, p) -> {
            if (p.trainable()) {
                trained.put(name, p);
            }
        });
        assertThat(trained).containsKeys("layers.0.gate.lora_A.weight", "layers.0.down.lora_B.weight");
        assertThat(trained).doesNotContainKeys("layers.0.gate.weight", "head.weight");
        try (AdamW optimizer = new AdamW(trained, AdamW.Settings.DEFAULT, 1)) {
            for (int step = 0; step < 3; step++) {
                Tensor y = Ops.to(model.forward(x), DType.F32);
                y.mul(y).mean().backward();
                model.allParameters().values().forEach(Parameter::collectGradient);
                optimizer.step(0.01);
                Gradients.clear(model.allParameters().values());
            }
        }
        float[] b = Torch.floats(trained.get("layers.0.gate.lora_B.weight").master());
        assertThat(b).isNotEqualTo(new float[b.length]);
    }

    private static float[] output(TinyMlp model, Tensor x) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            return Torch.floats(model.forward(x));
        }
    }
}
