package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.bytedeco.pytorch.Tensor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/// A kernel and what libtorch offers for the same: an operator, or the composition of operators that the kernel's
/// class has for other devices. A benchmark is a subclass; both are timed on the same inputs, on as many threads as
/// libtorch uses, and are not timed at all where their results differ.
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public abstract class Pair {
    /// What results may differ by, relative to their norm. The tests of a kernel ask for more; this finds two
    /// computations that are not the same.
    private static final double TOLERANCE = 0.02;

    private Scope tensors;

    /// Makes the inputs.
    abstract void prepare();

    abstract List<Tensor> kernel();

    abstract List<Tensor> aten();

    @Setup
    public void setUp() {
        tensors = Scope.open();
        Torch.setSeed(1);
        prepare();
        try (Scope _ = Scope.open()) {
            List<Tensor> kernel = kernel();
            List<Tensor> aten = aten();
            for (int i = 0; i < aten.size(); i++) {
                double difference = norm(kernel.get(i).sub(aten.get(i))) / norm(aten.get(i));
                if (!(difference <= TOLERANCE)) {
                    throw new IllegalStateException("The results of Halftone and libtorch differ by " + difference);
                }
            }
        }
    }

    private static double norm(Tensor t) {
        return Torch.floats(Ops.norm(t, DType.F32))[0];
    }

    @TearDown
    public void tearDown() {
        tensors.close();
    }

    @Benchmark
    public List<Tensor> halftone() {
        try (Scope _ = Scope.open()) {
            return kernel();
        }
    }

    @Benchmark
    public List<Tensor> libtorch() {
        try (Scope _ = Scope.open()) {
            return aten();
        }
    }

    /// Normally distributed values.
    static Tensor normal(double deviation, DType dtype, long... shape) {
        return Ops.to(Ops.mul_(Torch.empty(DType.F32, shape).normal_(), deviation), dtype);
    }
}
