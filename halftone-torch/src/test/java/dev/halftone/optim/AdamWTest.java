package dev.halftone.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.DType;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.nn.Parameter;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AdamWTest {
    private static final AdamW.Settings STOCHASTIC = new AdamW.Settings(0.9, 0.999, 1e-8, 0, true);

    @ParameterizedTest
    @CsvSource({
        "adamw, 1e-2, 0.9, 0.999, 1e-8, 0.01",
        "adamw_wd0.1_b2_0.95, 5e-2, 0.9, 0.95, 1e-6, 0.1",
    })
    void fiveStepsMatchTorch(String name, double lr, double beta1, double beta2, double eps, double decay)
            throws Exception {
        Path file = Path.of(
                AdamWTest.class.getResource("/golden/optim/optim.safetensors").toURI());
        AdamW.Settings settings = new AdamW.Settings(beta1, beta2, eps, decay, false);
        try (SafetensorsFile golden = SafetensorsFile.open(file);
                Scope _ = Scope.open()) {
            for (DType dtype : List.of(DType.F32, DType.BF16)) {
                Tensor a = Ops.to(tensor(golden, "a"), dtype);
                Tensor c = Ops.to(tensor(golden, "c"), dtype);
                Parameter p = trainable(Ops.to(tensor(golden, "x0"), dtype).clone());
                AdamW optimizer = new AdamW(Map.of("p", p), settings, 0);
                for (int step = 1; step <= 5; step++) {
                    setGradient(p, a.mul(p.master().detach().sub(c)));
                    optimizer.step(lr);
                    String key = name + (dtype == DType.BF16 ? ".bf16." : ".") + step;
                    float[] expected = Torch.floats(tensor(golden, key));
                    float[] actual = Torch.floats(p.master());
                    for (int i = 0; i < expected.length; i++) {
                        double tolerance = dtype == DType.F32 ? 1e-6 * Math.abs(expected[i]) : bf16Ulp(expected[i]);
                        assertThat(actual[i]).as(key + "[" + i + "]").isCloseTo(expected[i], within((float) tolerance));
                    }
                }
            }
        }
    }

    @Test
    void aRestoredOptimizerGoesOnAsIfItHadNeverStopped() {
        try (Scope _ = Scope.open()) {
            for (boolean stochastic : new boolean[] {false, true}) {
                AdamW.Settings settings = new AdamW.Settings(0.9, 0.999, 1e-8, 0.01, stochastic);
                Parameter through = trainable(random(1, 1000));
                Parameter stopped = trainable(through.master().detach().clone());
                AdamW first = new AdamW(Map.of("p", through), settings, 7);
                AdamW second = new AdamW(Map.of("p", stopped), settings, 7);
                for (int step = 0; step < 6; step++) {
                    if (step == 3) {
                        AdamW resumed = new AdamW(Map.of("p", stopped), settings, 7);
                        Map<String, Tensor> saved = second.state();
                        resumed.state().forEach((name, t) -> t.copy_(saved.get(name)));
                        resumed.restoreSteps(second.steps());
                        second = resumed;
                    }
                    setGradient(through, random(10 + step, 1000));
                    setGradient(stopped, random(10 + step, 1000));
                    first.step(1e-3);
                    second.step(1e-3);
                }
                assertThat(Torch.floats(stopped.master())).containsExactly(Torch.floats(through.master()));
            }
        }
    }

    @Test
    void updatesTooSmallForBfloat16ArriveOnAverageWithStochasticRounding() {
        try (Scope _ = Scope.open()) {
            int n = 100_000;
            Parameter nearest = trainable(Ops.fill_(Torch.empty(DType.BF16, n), 1));
            Parameter stochastic = trainable(Ops.fill_(Torch.empty(DType.BF16, n), 1));
            AdamW a = new AdamW(Map.of("p", nearest), new AdamW.Settings(0.9, 0.999, 1e-8, 0, false), 1);
            AdamW b = new AdamW(Map.of("p", stochastic), STOCHASTIC, 1);
            for (int step = 0; step < 20; step++) {
                setGradient(nearest, Ops.fill_(Torch.empty(DType.BF16, n), 0.5));
                setGradient(stochastic, Ops.fill_(Torch.empty(DType.BF16, n), 0.5));
                a.step(2e-5);
                b.step(2e-5);
            }
            assertThat(Torch.floats(nearest.master())).containsOnly(1f);
            // Twenty updates of the size of the rate; the spread of a mean of n values that differ by 2^-8 is 1e-5 at
            // most.
            assertThat(mean(stochastic.master())).isCloseTo(1 - 20 * 2e-5, within(4e-5));
        }
    }

    @Test
    void clippingIsAFactorThatBringsTheNormToItsLargest() {
        assertThat(Gradients.clipping(3, OptionalDouble.empty())).isOne();
        assertThat(Gradients.clipping(3, OptionalDouble.of(5))).isOne();
        assertThat(Gradients.clipping(3, OptionalDouble.of(1.5))).isCloseTo(0.5f, within(1e-6f));
        assertThat(Gradients.clipping(Float.NaN, OptionalDouble.of(1.5))).isNaN();
    }

    @Test
    void aFactorOfTheGradientsIsAppliedAsByTorchBeforeTheStep() {
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            for (AdamW.Settings settings : List.of(AdamW.Settings.DEFAULT, STOCHASTIC)) {
                try (Scope _ = Scope.open()) {
                    float[][] weights = new float[2][];
                    for (int way = 0; way < 2; way++) {
                        Random random = new Random(4);
                        Parameter p = trainable(Ops.to(random(random, 100), dtype));
                        Tensor g = Ops.to(random(random, 100), dtype);
                        setGradient(p, way == 0 ? g : Ops.mul_(g, 0.37f));
                        AdamW optimizer = new AdamW(Map.of("p", p), settings, 1);
                        optimizer.beginStep();
                        optimizer.update(List.of(p), 1e-2, way == 0 ? 0.37f : 1);
                        weights[way] = Torch.floats(p.master());
                    }
                    assertThat(weights[0]).containsExactly(weights[1]);
                }
            }
        }
    }

    private static Tensor random(Random random, int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Torch.of(values, n);
    }

    @Test
    void theNormIsThatOfAllGradientsTogether() {
        try (Scope _ = Scope.open()) {
            Map<String, Parameter> all = new LinkedHashMap<>();
            all.put("a", trainable(Torch.zeros(DType.F32, 2)));
            all.put("b", trainable(Torch.zeros(DType.F32, 1)));
            all.put("untouched", trainable(Torch.zeros(DType.F32, 1)));
            setGradient(all.get("a"), Torch.of(new float[] {2, 1}, 2));
            setGradient(all.get("b"), Torch.of(new float[] {2}, 1));
            assertThat(Gradients.norm(all.values())).isEqualTo(3);
            Gradients.clear(all.values());
            assertThat(all.get("b").gradient()).isNull();
        }
    }

    private static Tensor tensor(SafetensorsFile file, String name) {
        var info = file.tensors().get(name);
        return Torch.of(file.data(name), info.dtype(), info.shape());
    }

    private static Parameter trainable(Tensor values) {
        Parameter p = new Parameter(values);
        p.setTrainable(true);
        return p;
    }

    private static void setGradient(Parameter p, Tensor gradient) {
        p.master().mutable_grad().put(gradient);
    }

    private static Tensor random(long seed, int n) {
        Random random = new Random(seed);
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Ops.to(Torch.of(values, n), DType.BF16);
    }

    private static double mean(Tensor t) {
        double sum = 0;
        for (float v : Torch.floats(t)) {
            sum += v;
        }
        return sum / t.numel();
    }

    private static double bf16Ulp(float value) {
        return Math.ulp(value) * 65536.0;
    }
}
