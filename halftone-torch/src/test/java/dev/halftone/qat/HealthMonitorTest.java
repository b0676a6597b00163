package dev.halftone.qat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.DType;
import dev.halftone.nn.Parameter;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Map;
import org.junit.jupiter.api.Test;

class HealthMonitorTest {
    private static final IntxScheme INT4 = new IntxScheme(4, new Granularity.PerGroup(32), false, Numerics.TORCHAO);

    @Test
    void whatChangesBetweenTwoLooksIsMeasured() {
        try (Scope _ = Scope.open();
                HealthMonitor monitor = new HealthMonitor()) {
            TinyMlp model = new TinyMlp(DType.F32);
            Qat.prepare(model, QuantizationPlan.of(INT4));
            Map<String, LayerHealth> first = monitor.measure(model);
            assertThat(first).containsOnlyKeys("layers.0.gate", "layers.0.up", "layers.0.down", "head");
            LayerHealth gate = first.get("layers.0.gate");
            // Uniform int4 of normal weights, groups of 32.
            assertThat(gate.sqnrDb()).isBetween(15.0, 25.0);
            // No more than the largest of a group of 32 can be clipped.
            assertThat(gate.clipped()).isBetween(0.0, 2.0 / 32);
            assertThat(gate.flipped()).isNaN();

            LayerHealth same = monitor.measure(model).get("layers.0.gate");
            assertThat(same.flipped()).isZero();
            assertThat(same.scaleDrift()).isZero();

            Ops.mul_(((Parameter) model.gate.weight()).master().detach(), 2);
            LayerHealth doubled = monitor.measure(model).get("layers.0.gate");
            assertThat(doubled.flipped()).isZero();
            assertThat(doubled.scaleDrift()).isCloseTo(1, within(1e-6));
            assertThat(doubled.sqnrDb()).isCloseTo(gate.sqnrDb(), within(1e-3));

            Ops.mul_(((Parameter) model.gate.weight()).master().detach(), -1);
            assertThat(monitor.measure(model).get("layers.0.gate").flipped()).isGreaterThan(0.8);
        }
    }

    @Test
    void weightsOnTheirGridHaveNoError() {
        try (Scope _ = Scope.open();
                HealthMonitor monitor = new HealthMonitor()) {
            TinyMlp model = new TinyMlp(DType.F32);
            Ops.fill_(((Parameter) model.gate.weight()).master().detach(), 0);
            Qat.prepare(model, QuantizationPlan.of(INT4));
            LayerHealth zeros = monitor.measure(model).get("layers.0.gate");
            assertThat(zeros.clipped()).isZero();
            assertThat(Torch.floats(model.gate.weight().value())).containsOnly(0);
        }
    }
}
