package dev.halftone.qat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.nn.ActivationTransform;
import dev.halftone.quant.Calibration;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.InputScale;
import dev.halftone.quant.ModelOptScheme;
import dev.halftone.quant.ModelOptScheme.Config;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class InputCalibrationTest {
    private static final QuantizationPlan INT8 = QuantizationPlan.of(new ModelOptScheme(Config.INT8_DEFAULT_CFG));

    @Test
    void scalesAreThoseOfTheFloatModelsInputs() {
        try (Scope _ = Scope.open()) {
            TinyMlp inFloat = new TinyMlp(DType.F32);
            TinyMlp model = new TinyMlp(DType.F32);
            Tensor x = model.input(5);
            Qat.prepare(model, INT8);
            assertThat(InputCalibration.run(model, Calibration.MINMAX, () -> model.forward(x)))
                    .containsExactly("layers.0.gate", "layers.0.up", "layers.0.down", "head");
            Tensor gated = Ops.silu(inFloat.gate.forward(x)).mul(inFloat.up.forward(x));
            Map<String, InputScale> scales = InputCalibration.scales(model);
            assertThat(scales.get("layers.0.gate")).isEqualTo(new InputScale(amax(x), 0));
            assertThat(scales.get("layers.0.down")).isEqualTo(new InputScale(amax(gated), 0));
            assertThat(scales.get("head")).isEqualTo(new InputScale(amax(inFloat.down.forward(gated)), 0));
            assertThat(Qat.activeShare(model)).isEqualTo(1);
        }
    }

    @Test
    void layersThatSeeTheSameInputsShareTheirStage() {
        try (Scope _ = Scope.open()) {
            TinyMlp model = new TinyMlp(DType.F32);
            Qat.prepare(model, INT8);
            InputCalibration.run(model, Calibration.MINMAX, () -> model.forward(model.input(5)));
            assertThat(model.gate.inputTransform())
                    .isSameAs(model.up.inputTransform())
                    .isNotSameAs(model.down.inputTransform());
        }
    }

    @Test
    void scalesDoNotFollowLaterInputs() {
        try (Scope _ = Scope.open()) {
            TinyMlp model = new TinyMlp(DType.F32);
            Tensor x = model.input(5);
            Qat.prepare(model, INT8.including("layers.0.gate"));
            InputCalibration.run(model, Calibration.MINMAX, () -> model.forward(x));
            // The lowest code is -128, the highest 127.
            float range = amax(x) * 128 / 127;
            assertThat(amax(stage(model).forward(Ops.mul(x, 3)))).isCloseTo(range, within(1e-6f));
        }
    }

    /// Beyond the range nothing passes, but under IDENTITY.
    @ParameterizedTest
    @EnumSource(GradientRule.class)
    void whatIsClampedGetsTheGradientOfTheRule(GradientRule rule) {
        try (Scope _ = Scope.open()) {
            TinyMlp model = new TinyMlp(DType.F32);
            Qat.prepare(model, INT8.including("layers.0.gate").with(rule));
            InputCalibration.restore(model, Map.of("layers.0.gate", new InputScale(1, 0)));
            Tensor x = Torch.of(new float[] {-2, -1, 0.5f, 1, 1.5f}, 1, 5).requires_grad_(true);
            stage(model).forward(x).sum().backward();
            assertThat(Torch.floats(x.grad()))
                    .containsExactly(
                            switch (rule) {
                                case IDENTITY -> new float[] {1, 1, 1, 1, 1};
                                case CLOSED -> new float[] {0, 1, 1, 1, 0};
                                case OPEN -> new float[] {0, 0, 1, 0, 0};
                            });
        }
    }

    @Test
    void aModelThatIsNotCalibratedDoesNotRun() {
        try (Scope _ = Scope.open()) {
            TinyMlp model = new TinyMlp(DType.F32);
            Tensor x = model.input(5);
            Qat.prepare(model, INT8);
            assertThat(InputCalibration.missing(model)).isTrue();
            assertThatThrownBy(() -> model.forward(x))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("modelopt-int8_default_cfg has static activations");
            assertThatThrownBy(() -> InputCalibration.restore(model, Map.of()))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("layers.0.gate has static activations, and no scale");
        }
    }

    @Test
    void aLayerWithoutInputsOrWithInfiniteOnesIsNamed() {
        try (Scope _ = Scope.open()) {
            TinyMlp model = new TinyMlp(DType.F32);
            Tensor x = model.input(5);
            Qat.prepare(model, INT8);
            assertThatThrownBy(() -> InputCalibration.run(model, Calibration.MINMAX, () -> model.gate.forward(x)))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("no input reached layers.0.up");
            Tensor infinite = Ops.mul(x, Double.POSITIVE_INFINITY);
            assertThatThrownBy(() -> InputCalibration.run(model, Calibration.MINMAX, () -> model.forward(infinite)))
                    .isInstanceOf(RunException.class)
                    .hasMessageContaining("an input of layers.0.gate is infinite");
            assertThat(InputCalibration.missing(model)).isTrue();
        }
    }

    private static ActivationTransform stage(TinyMlp model) {
        return Objects.requireNonNull(model.gate.inputTransform());
    }

    private static float amax(Tensor t) {
        return Torch.floats(t.abs().max())[0];
    }
}
