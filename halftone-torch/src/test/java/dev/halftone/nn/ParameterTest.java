package dev.halftone.nn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Map;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class ParameterTest {
    /// Doubles on the way in and passes three times the gradient back.
    private static final class Doubling implements WeightTransform {
        int runs;

        @Override
        public boolean active() {
            return true;
        }

        @Override
        public Tensor forward(Tensor master, boolean trains) {
            runs++;
            return Ops.mul(master, 2);
        }

        @Override
        public Tensor backward(Supplier<Tensor> master, Tensor gradient) {
            return Ops.mul(gradient, 3);
        }
    }

    @Test
    void theShadowIsComputedOncePerChangeAndItsGradientReachesTheMasters() {
        try (Scope _ = Scope.open()) {
            Parameter p = new Parameter(Torch.of(new float[] {1, 2}, 1, 2));
            p.setTrainable(true);
            Doubling twice = new Doubling();
            p.setTransform(twice);
            Linear layer = new Linear(p, null);
            Tensor x = Torch.of(new float[] {10, 20}, 1, 2);
            assertThat(Torch.floats(layer.forward(x))).containsExactly(100);
            layer.forward(x).sum().backward();
            p.collectGradient();
            assertThat(Torch.floats(p.gradient())).containsExactly(30, 60);
            layer.forward(x).sum().backward();
            p.collectGradient();
            assertThat(Torch.floats(p.gradient())).containsExactly(60, 120);
            assertThat(twice.runs).isEqualTo(1);
            p.clearGradient();
            assertThat(p.gradient()).isNull();
            p.changed();
            layer.forward(x);
            assertThat(twice.runs).isEqualTo(2);
        }
    }

    /// A frozen weight times a trained number.
    private record Factor(Parameter factor, boolean active) implements WeightTransform {

        @Override
        public Map<String, Parameter> parameters() {
            return Map.of("factor", factor);
        }

        @Override
        public Tensor forward(Tensor master, boolean trains) {
            return master.mul(factor.master());
        }

        @Override
        public Tensor backward(Supplier<Tensor> master, Tensor gradient) {
            factor.addGradient(gradient.mul(master.get()).sum().view(1));
            return gradient;
        }
    }

    @Test
    void whatATransformTrainsIsTrainedWhileTheWeightIsFrozen() {
        try (Scope _ = Scope.open()) {
            Parameter factor = new Parameter(Torch.of(new float[] {2}, 1));
            Parameter p = new Parameter(Torch.of(new float[] {1, 3}, 1, 2));
            p.setTransform(new Factor(factor, true));
            Linear layer = new Linear(p, null);
            factor.setTrainable(true);
            assertThat(layer.namedParameters()).containsOnlyKeys("weight");
            assertThat(layer.allParameters()).containsOnlyKeys("weight", "factor");
            Tensor x = Torch.of(new float[] {10, 1}, 1, 2);
            Tensor y = layer.forward(x);
            assertThat(Torch.floats(y)).containsExactly(26);
            y.sum().backward();
            layer.allParameters().values().forEach(Parameter::collectGradient);
            assertThat(Torch.floats(factor.gradient())).containsExactly(13);
            assertThat(p.gradient()).isNull();
            Ops.fill_(factor.master().detach(), 3);
            factor.changed();
            assertThat(Torch.floats(layer.forward(x))).containsExactly(39);
        }
    }

    @Test
    void whatRunsBesideAWeightDoesNotComputeItAnew() {
        for (boolean merged : new boolean[] {false, true}) {
            try (Scope _ = Scope.open()) {
                Parameter factor = new Parameter(Torch.of(new float[] {2}, 1));
                Parameter p = new Parameter(Torch.of(new float[] {1, 3}, 1, 2));
                Doubling twice = new Doubling();
                p.setTransform(twice);
                p.setAdapter(new Factor(factor, merged));
                assertThat(Torch.floats(p.value())).containsExactly(merged ? new float[] {4, 12} : new float[] {2, 6});
                factor.changed();
                p.value();
                assertThat(twice.runs).isEqualTo(merged ? 2 : 1);
                assertThat(Torch.floats(p.adapted())).containsExactly(2, 6);
            }
        }
    }

    @Test
    void bfloat16ProductsOfFloat32MastersGiveFloat32Gradients() {
        try (Scope _ = Scope.open()) {
            Parameter p = new Parameter(Torch.of(new float[] {1.001f, 2}, 1, 2));
            p.setTrainable(true);
            Linear layer = new Linear(p, null);
            layer.setComputeDtype(DType.BF16);
            Tensor x = Torch.of(new float[] {1, 1}, 1, 2);
            Tensor y = layer.forward(x);
            assertThat(Torch.dtype(y)).isEqualTo(DType.BF16);
            assertThat(Torch.floats(y)).containsExactly(3);
            y.sum().backward();
            p.collectGradient();
            assertThat(Torch.dtype(p.gradient())).isEqualTo(DType.F32);
            assertThat(Torch.floats(p.master())).containsExactly(1.001f, 2);
        }
    }
}
