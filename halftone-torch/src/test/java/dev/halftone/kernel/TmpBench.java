package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.*;
import dev.halftone.torch.*;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;

public class TmpBench {
    static final com.sun.management.ThreadMXBean MX =
            (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();

    static void time(String name, long n, Runnable r) {
        double best = 1e9;
        long bytes = 0;
        for (int k = 0; k < 300; k++) {
            long b = MX.getTotalThreadAllocatedBytes();
            long t = System.nanoTime();
            try (Scope _ = Scope.open()) {
                r.run();
            }
            double d = (System.nanoTime() - t) / 1e6;
            bytes = MX.getTotalThreadAllocatedBytes() - b;
            best = Math.min(best, d);
        }
        System.out.printf(
                "%-40s %.3f ms  %.3f ns/value  %.2f B/value%n", name, best, best * 1e6 / n, (double) bytes / n);
    }

    static Tensor random(int rows, int columns, DType dtype) {
        Random random = new Random(1);
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian() * 0.05f;
        return Ops.to(Torch.of(values, rows, columns), dtype);
    }

    public static void main(String[] a) {
        IntxScheme scheme = new IntxScheme(4, new Granularity.PerGroup(32), true, Numerics.TORCHAO);
        for (DType d : new DType[] {DType.BF16, DType.F32})
            try (Scope _ = Scope.open()) {
                Tensor w = random(1536, 576, d), x = random(512, 576, d), o = Ops.copy(w), y = Ops.copy(x);
                GridKernel k = Kernels.VECTOR.of(IntxGrid.weights(scheme, d)),
                        act = Kernels.VECTOR.of(IntxGrid.activations(Numerics.TORCHAO, d));
                time("weight fq " + d, w.numel(), () -> k.fakeQuantize(w, o));
                time("weight gradient " + d, w.numel(), () -> k.gradient(w, o, GradientRule.OPEN));
                time("act fq " + d, x.numel(), () -> act.fakeQuantize(x, y));
                time("act stops " + d, x.numel(), () -> ((IntxKernel) act).stops(x, GradientRule.OPEN));
                time("copy", w.numel(), () -> o.copy_(w));
                Tensor leaf = Ops.copy(x).requires_grad_(true);
                Tensor up = Ops.copy(x);
                for (GradientRule rule : new GradientRule[] {GradientRule.OPEN, GradientRule.IDENTITY}) {
                    time("act fwd " + rule + d, x.numel(), () -> StraightThrough.fakeQuantize(leaf, rule, act));
                    time(
                            "act fwd+bwd " + rule + d,
                            x.numel(),
                            () -> Ops.backward(StraightThrough.fakeQuantize(leaf, rule, act), up));
                }
            }
    }
}
