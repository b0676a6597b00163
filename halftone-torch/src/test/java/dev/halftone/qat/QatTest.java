package dev.halftone.qat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.AllSchemes;
import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.Schemes;
import dev.halftone.kernel.Kernels;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Parameter;
import dev.halftone.quant.Calibration;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.MxFormat;
import dev.halftone.quant.MxScaleMode;
import dev.halftone.quant.MxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.Nvfp4Scheme;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.List;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class QatTest {
    private static final IntxScheme INT4 = scheme(4, 32, true, Numerics.TORCHAO);

    private static IntxScheme scheme(int bits, int group, boolean activations, Numerics numerics) {
        Granularity granularity = group == 0 ? new Granularity.PerAxis() : new Granularity.PerGroup(group);
        return new IntxScheme(bits, granularity, activations, numerics);
    }

    @AllSchemes.Trainable
    void preparedAndConvertedOutputsAreTheSameBits(QuantScheme scheme) {
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            try (Scope _ = Scope.open();
                    NoGrad _ = NoGrad.open()) {
                TinyMlp model = new TinyMlp(dtype, Schemes.unit(scheme));
                Tensor x = model.input(5);
                float[] inFloat = Torch.floats(model.forward(x));
                Qat.prepare(model, QuantizationPlan.of(scheme));
                calibrate(model, x);
                float[] prepared = Torch.floats(model.forward(x));
                Qat.convert(model);
                assertThat(Torch.floats(model.forward(x))).isEqualTo(prepared).isNotEqualTo(inFloat);
                assertThat(Torch.dtype(model.head.weight().value())).isEqualTo(dtype);
                TinyMlp quantized = new TinyMlp(dtype, Schemes.unit(scheme));
                Qat.quantize(quantized, QuantizationPlan.of(scheme));
                InputCalibration.restore(quantized, InputCalibration.scales(model));
                assertThat(Torch.floats(quantized.forward(x))).isEqualTo(prepared);
            }
        }
    }

    @AllSchemes.Trainable
    void bfloat16ProductsKeepTheCodesOfTheFloat32Masters(QuantScheme scheme) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            TinyMlp plain = new TinyMlp(DType.F32, Schemes.unit(scheme));
            Qat.quantize(plain, QuantizationPlan.of(scheme));
            TinyMlp mixed = new TinyMlp(DType.F32, Schemes.unit(scheme));
            for (Linear linear : List.of(mixed.gate, mixed.up, mixed.down, mixed.head)) {
                linear.setComputeDtype(DType.BF16);
            }
            Tensor x = mixed.input(5);
            Qat.prepare(mixed, QuantizationPlan.of(scheme));
            calibrate(mixed, x);
            float[] prepared = Torch.floats(mixed.forward(x));
            Qat.convert(mixed);
            assertThat(Torch.floats(mixed.forward(x))).isEqualTo(prepared);
            QuantizedWeight a = (QuantizedWeight) plain.down.weight();
            QuantizedWeight b = (QuantizedWeight) mixed.down.weight();
            assertThat(Torch.longs(b.quantized().codes()))
                    .isEqualTo(Torch.longs(a.quantized().codes()));
            assertThat(Torch.dtype(b.quantized().scale()))
                    .isEqualTo(scheme.weights(DType.F32).scaleDtype());
            assertThat(Torch.floats(b.quantized().scale()))
                    .isEqualTo(Torch.floats(a.quantized().scale()));
            assertThat(Torch.dtype(b.value())).isEqualTo(DType.BF16);
        }
    }

    /// Where activations are static.
    private static void calibrate(TinyMlp model, Tensor x) {
        if (InputCalibration.missing(model)) {
            InputCalibration.run(model, Calibration.MINMAX, () -> model.forward(x));
        }
    }

    @Test
    void mxAndNvfp4TrainTheirBiases() {
        for (QuantScheme scheme : List.of(
                MxScheme.of(MxFormat.MXFP4, MxFormat.MXFP4, MxScaleMode.RCEIL),
                new Nvfp4Scheme(true, true, Numerics.TORCHAO))) {
            try (Scope _ = Scope.open()) {
                TinyMlp model = new TinyMlp(DType.F32);
                model.namedParameters().values().forEach(p -> p.setTrainable(true));
                Qat.prepare(model, QuantizationPlan.of(scheme));
                model.forward(model.input(5)).sum().backward();
                model.namedParameters().forEach((name, p) -> {
                    p.collectGradient();
                    float[] gradient = Torch.floats(p.gradient());
                    assertThat(gradient).as(name).isNotEqualTo(new float[gradient.length]);
                });
            }
        }
    }

    @ParameterizedTest
    @EnumSource(GradientRule.class)
    void everyImplementationTrainsTheSame(GradientRule rule) {
        float[][] gradients = new float[Kernels.values().length][];
        for (Kernels kernels : Kernels.values()) {
            try (Scope _ = Scope.open()) {
                TinyMlp model = new TinyMlp(DType.BF16);
                Qat.prepare(model, QuantizationPlan.of(INT4).with(rule).with(kernels));
                model.forward(model.input(5)).sum().backward();
                model.namedParameters().values().forEach(Parameter::collectGradient);
                Parameter gate = (Parameter) model.gate.weight();
                gradients[kernels.ordinal()] = Torch.floats(gate.gradient());
            }
        }
        assertThat(gradients[1]).isEqualTo(gradients[0]);
        assertThat(gradients[2]).isEqualTo(gradients[0]);
    }

    @Test
    void theTableNamesWhatWasMatched() {
        try (Scope _ = Scope.open()) {
            TinyMlp model = new TinyMlp(DType.F32);
            List<QuantizedLayer> table = Qat.prepare(
                    model,
                    QuantizationPlan.of(INT4).including("layers.*", "h?ad").excluding("*.down"));
            assertThat(table)
                    .containsExactly(
                            new QuantizedLayer("layers.0.gate", 96, 64, INT4),
                            new QuantizedLayer("layers.0.up", 96, 64, INT4),
                            new QuantizedLayer("head", 10, 64, INT4));
            assertThat(table.getFirst().scheme().label()).isEqualTo("8da4w-g32");
            assertThat(model.down.inputTransform()).isNull();
            assertThat(model.gate.inputTransform()).isSameAs(model.up.inputTransform());
            assertThat(Qat.convert(model)).isEqualTo(table);
            assertThat(model.namedParameters())
                    .containsKey("layers.0.down.weight")
                    .doesNotContainKey("head.weight");
        }
    }

    @Test
    void fakeQuantizationCanStartLater() {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            TinyMlp model = new TinyMlp(DType.F32);
            Tensor x = model.input(5);
            float[] inFloat = Torch.floats(model.forward(x));
            assertThat(Qat.activeShare(model)).isZero();
            Qat.prepare(model, QuantizationPlan.of(INT4));
            float[] prepared = Torch.floats(model.forward(x));
            assertThat(Qat.activeShare(model)).isEqualTo(1);
            Qat.setActive(model, false);
            assertThat(Qat.activeShare(model)).isZero();
            assertThat(Torch.floats(model.forward(x))).isEqualTo(inFloat);
            Ops.mul_(((Parameter) model.gate.weight()).master(), 0.5);
            Qat.setActive(model, true);
            float[] changed = Torch.floats(model.forward(x));
            assertThat(changed).isNotEqualTo(prepared);
            Qat.setActive(model, false);
            Qat.convert(model);
            assertThat(Torch.floats(model.forward(x))).isEqualTo(changed);
            assertThat(Qat.activeShare(model)).isEqualTo(1);
        }
    }

    @Test
    void theLastRuleThatMatchesALayerIsItsOwn() {
        try (Scope _ = Scope.open()) {
            IntxScheme int8 = scheme(8, 0, true, Numerics.TORCHAO);
            TinyMlp model = new TinyMlp(DType.F32);
            List<QuantizedLayer> table = Qat.prepare(
                    model,
                    QuantizationPlan.of(INT4)
                            .excluding("head")
                            .and(QuantizationPlan.of(int8).including("*.down", "*.up")));
            assertThat(table)
                    .containsExactly(
                            new QuantizedLayer("layers.0.gate", 96, 64, INT4),
                            new QuantizedLayer("layers.0.up", 96, 64, int8),
                            new QuantizedLayer("layers.0.down", 64, 96, int8));
            assertThat(model.gate.inputTransform())
                    .as("the same int8 activations")
                    .isSameAs(model.up.inputTransform());
            assertThat(Qat.convert(model)).isEqualTo(table);
        }
    }

    @Test
    void aSharedWeightIsQuantizedInTheLayerOnly() {
        try (Scope _ = Scope.open()) {
            TinyMlp model = new TinyMlp(DType.F32);
            Parameter table = (Parameter) model.gate.weight();
            float[] before = Torch.floats(table.master());
            model.up.setWeight(table);
            Qat.prepare(model, QuantizationPlan.of(INT4));
            Qat.convert(model);
            assertThat(model.up.weight()).isInstanceOf(QuantizedWeight.class);
            assertThat(table.transform()).isNull();
            assertThat(Torch.floats(table.value())).isEqualTo(before);
        }
    }

    @Test
    void int1IsForPostTrainingQuantizationOnly() {
        try (Scope _ = Scope.open()) {
            QuantizationPlan plan = QuantizationPlan.of(scheme(1, 32, false, Numerics.TORCHAO));
            TinyMlp model = new TinyMlp(DType.F32);
            assertThatThrownBy(() -> Qat.prepare(model, plan))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("int1");
            assertThat(Qat.quantize(model, plan)).hasSize(4);
        }
    }

    @Test
    void mistakesAreNamed() {
        try (Scope _ = Scope.open()) {
            TinyMlp model = new TinyMlp(DType.F32);
            QuantizationPlan plan = QuantizationPlan.of(INT4);
            assertRefused(
                    model, plan.excluding("lm_head"), "exclude: 'lm_head' matches no linear layer", "layers.0.gate");
            assertRefused(model, plan.including("*.gat"), "include: '*.gat' matches no linear layer");
            assertRefused(model, plan.excluding("*"), "leave no layer");
            assertRefused(
                    model,
                    QuantizationPlan.of(scheme(4, 64, true, Numerics.TORCHAO)),
                    "groupsize: 64 does not divide the 96 inputs of layers.0.down");
            assertThatThrownBy(() -> Qat.convert(model)).isInstanceOf(InputException.class);
            Qat.prepare(model, plan.including("head"));
            assertRefused(model, plan, "head is quantized or prepared already");
            Qat.convert(model);
            assertRefused(model, plan, "head is quantized or prepared already");
        }
    }

    private static void assertRefused(TinyMlp model, QuantizationPlan plan, String... parts) {
        assertThatThrownBy(() -> Qat.prepare(model, plan))
                .isInstanceOf(InputException.class)
                .hasMessageContainingAll(parts);
        assertThatThrownBy(() -> Qat.quantize(model, plan))
                .isInstanceOf(InputException.class)
                .hasMessageContainingAll(parts);
    }

    /// A leak shows in each of the stretches of steps, what compilers, the collector and allocators take now and then
    /// in
    /// some.
    @ParameterizedTest
    @EnumSource(GradientRule.class)
    void nativeMemoryStaysFlatOverManySteps(GradientRule rule) {
        try (Scope _ = Scope.open()) {
            TinyMlp model = new TinyMlp(DType.BF16);
            Qat.prepare(model, QuantizationPlan.of(INT4).with(rule));
            Tensor x = model.input(1000).requires_grad_(true);
            long least = Long.MAX_VALUE;
            for (int stretch = 0; stretch < 5; stretch++) {
                long before = Pointer.physicalBytes();
                for (int step = 0; step < 200; step++) {
                    step(model, x);
                }
                least = Math.min(least, Pointer.physicalBytes() - before);
            }
            assertThat(least).isLessThan(32L << 20);
        }
    }

    private static void step(TinyMlp model, Tensor x) {
        try (Scope _ = Scope.open()) {
            model.forward(x).sum().backward();
            x.mutable_grad().reset();
            for (Parameter p : model.namedParameters().values()) {
                p.collectGradient();
                p.clearGradient();
                p.changed();
            }
        }
    }
}
