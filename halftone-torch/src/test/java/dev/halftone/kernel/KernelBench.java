package dev.halftone.kernel;

import com.sun.management.ThreadMXBean;
import dev.halftone.DType;
import dev.halftone.Schemes;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.management.ManagementFactory;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

/// Times the kernels on the largest weight and on the activations of SmolLM2-135M. No test by its name, so it runs
/// only when asked for, of all schemes those whose label contains `-Dhalftone.bench.scheme`:
///
///     mvn -pl halftone-torch -am test -Dtest=KernelBench -Dsurefire.failIfNoSpecifiedTests=false
class KernelBench {
    private static final int ROUNDS = 200;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    @Test
    void weightsAndActivations() {
        IntxScheme scheme = new IntxScheme(4, new Granularity.PerGroup(32), true, Numerics.TORCHAO);
        for (DType dtype : new DType[] {DType.BF16, DType.F32}) {
            try (Scope _ = Scope.open()) {
                time("weight 1536x576 int4 g32 " + dtype, random(1536, 576, dtype), IntxGrid.weights(scheme, dtype));
                time(
                        "activation 512x576 int8 per token " + dtype,
                        random(512, 576, dtype),
                        IntxGrid.activations(Numerics.TORCHAO, dtype));
            }
        }
    }

    @Test
    void weightsOfEveryScheme() {
        String wanted = System.getProperty("halftone.bench.scheme", "");
        for (QuantScheme scheme :
                Schemes.all().filter(s -> s.label().contains(wanted)).toList()) {
            try (Scope _ = Scope.open()) {
                Tensor x = random(1536, 768, DType.BF16);
                Tensor out = Ops.copy(x);
                GridKernel kernel = Kernels.VECTOR.of(scheme.weights(DType.BF16));
                double forward = best(() -> kernel.fakeQuantize(x, out));
                double backward = best(() -> kernel.gradient(x, x, GradientRule.CLOSED));
                System.out.printf(
                        "%-60s fake quantize %.3f ns, gradient %.3f ns a value%n",
                        scheme.label(), forward * 1e6 / x.numel(), backward * 1e6 / x.numel());
            }
        }
    }

    @Test
    void activationsInAGraph() {
        try (Scope _ = Scope.open()) {
            IntxGrid grid = IntxGrid.activations(Numerics.TORCHAO, DType.BF16);
            Tensor x = random(512, 576, DType.BF16).requires_grad_(true);
            Tensor upstream = Ops.copy(x).detach();
            for (GradientRule rule : GradientRule.values()) {
                double ms = best(
                        () -> Ops.backward(StraightThrough.fakeQuantize(x, rule, Kernels.VECTOR.of(grid)), upstream));
                System.out.printf("activation 512x576 BF16, forward and backward, %s: %.3f ms%n", rule, ms);
            }
        }
    }

    private static void time(String what, Tensor x, IntxGrid grid) {
        Tensor out = Ops.copy(x);
        for (Kernels kernels : new Kernels[] {Kernels.VECTOR, Kernels.ATEN}) {
            GridKernel kernel = kernels.of(grid);
            double forward = best(() -> kernel.fakeQuantize(x, out));
            double backward = best(() -> kernel.gradient(x, x, GradientRule.CLOSED));
            kernel.notes(x, GradientRule.CLOSED).ifPresent(notes -> {
                double noting = best(() -> notes.fakeQuantize(x, out));
                double noted = best(() -> notes.gradient(x, out));
                System.out.printf("%-40s %-6s noting %.3f ms, gradient %.3f ms%n", what, kernels, noting, noted);
            });
            System.out.printf("%-40s %-6s fake quantize %.3f ms, gradient %.3f ms%n", what, kernels, forward, backward);
        }
    }

    /// The shortest of many runs, in ms: what other work on the machine disturbs least.
    ///
    /// Says so where a run allocates much: vectors that C2 could not keep in registers are objects, and the loop is
    /// several times slower.
    private static double best(Runnable work) {
        double best = Double.POSITIVE_INFINITY;
        long bytes = 0;
        for (int i = 0; i < ROUNDS; i++) {
            if (i == ROUNDS - 1) {
                bytes = THREADS.getTotalThreadAllocatedBytes();
            }
            long start = System.nanoTime();
            try (Scope _ = Scope.open()) {
                work.run();
            }
            best = Math.min(best, (System.nanoTime() - start) / 1e6);
        }
        bytes = THREADS.getTotalThreadAllocatedBytes() - bytes;
        if (bytes > 2 << 20) {
            System.out.printf("The next work allocates %d MB a run.%n", bytes >> 20);
        }
        return best;
    }

    private static Tensor random(int rows, int columns, DType dtype) {
        Random random = new Random(1);
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian() * 0.05f;
        }
        return Ops.to(Torch.of(values, rows, columns), dtype);
    }
}
