package dev.halftone.torch;

import dev.halftone.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.DimnameListOptional;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/// Start-up of libtorch, and the ways in and out of a tensor.
public final class Torch {
    private static boolean loaded;

    private Torch() {}

    /// Loads the native libraries once. The very first call on a machine unpacks them into the JavaCPP cache (8
    /// s), later ones take about a second.
    public static synchronized void load() {
        if (!loaded) {
            Loader.load(torch.class);
            loaded = true;
        }
    }

    /// The version of libtorch's Java binding, which begins with that of libtorch.
    public static String version() {
        String version = Tensor.class.getPackage().getImplementationVersion();
        return version == null ? "unknown" : version;
    }

    /// Threads that one operator uses.
    public static int threads() {
        load();
        return torch.get_num_threads();
    }

    /// Begins torch's random numbers on the CPU anew.
    public static void setSeed(long seed) {
        load();
        torch.manual_seed(seed);
    }

    /// Where torch's random numbers on the device of `like` stand: for [#setRandomState].
    public static Tensor randomState(Tensor like) {
        return torch.globalContext().defaultGenerator(like.device()).get_state();
    }

    /// Goes on from where they stood.
    public static void setRandomState(Tensor like, Tensor state) {
        torch.globalContext().defaultGenerator(like.device()).set_state(state);
    }

    public static void setThreads(int n) {
        load();
        torch.set_num_threads(n);
    }

    /// @param shape sizes; none for a scalar
    public static Tensor empty(DType dtype, long... shape) {
        load();
        return torch.empty(shape, new DimnameListOptional(), options(dtype), new MemoryFormatOptional());
    }

    public static Tensor zeros(DType dtype, long... shape) {
        return empty(dtype, shape).zero_();
    }

    /// A tensor of this dtype and shape on the device of `like`.
    public static Tensor emptyLike(Tensor like, DType dtype, long... shape) {
        load();
        return torch.empty(
                shape,
                new DimnameListOptional(),
                options(dtype).device(new DeviceOptional(like.device())),
                new MemoryFormatOptional());
    }

    /// A float32 tensor on the CPU with these values in row-major order.
    public static Tensor of(float[] values, long... shape) {
        Tensor t = empty(DType.F32, shape);
        MemorySegment.copy(values, 0, memory(t), ValueLayout.JAVA_FLOAT_UNALIGNED, 0, values.length);
        return t;
    }

    /// An int64 tensor on the CPU with these values in row-major order.
    public static Tensor of(long[] values, long... shape) {
        Tensor t = empty(DType.I64, shape);
        MemorySegment.copy(values, 0, memory(t), ValueLayout.JAVA_LONG_UNALIGNED, 0, values.length);
        return t;
    }

    /// An int64 tensor on the CPU with these values in row-major order.
    public static Tensor of(int[] values, long... shape) {
        return of(Arrays.stream(values).asLongStream().toArray(), shape);
    }

    /// A CPU tensor with a copy of these little-endian bytes. Those of a mapped file leave memory again.
    ///
    /// @param bytes exactly as many as dtype and shape need
    public static Tensor of(MemorySegment bytes, DType dtype, long... shape) {
        Tensor t = empty(dtype, shape);
        MemorySegment to = memory(t);
        if (to.byteSize() != bytes.byteSize()) {
            throw new IllegalArgumentException(
                    "%d bytes for %s%s".formatted(bytes.byteSize(), dtype, Arrays.toString(shape)));
        }
        to.copyFrom(bytes);
        if (bytes.isMapped()) {
            bytes.unload();
        }
        return t;
    }

    /// The memory of a contiguous CPU tensor: valid for as long as the tensor lives, which the segment does not
    /// ensure.
    public static MemorySegment memory(Tensor t) {
        if (!t.device().is_cpu() || !t.is_contiguous()) {
            throw new IllegalArgumentException("needs a contiguous tensor on the CPU");
        }
        long bytes = t.numel() * t.element_size();
        if (bytes == 0) {
            return MemorySegment.NULL;
        }
        return MemorySegment.ofAddress(t.data_ptr().address()).reinterpret(bytes);
    }

    /// The values of any float tensor, rounded to float32, in row-major order.
    public static float[] floats(Tensor t) {
        try (Scope _ = Scope.open()) {
            Tensor f = Ops.to(t.detach(), DType.F32).cpu().contiguous();
            return memory(f).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
        }
    }

    /// The values of any integer tensor as int64, in row-major order.
    public static long[] longs(Tensor t) {
        try (Scope _ = Scope.open()) {
            Tensor l = Ops.to(t.detach(), DType.I64).cpu().contiguous();
            return memory(l).toArray(ValueLayout.JAVA_LONG_UNALIGNED);
        }
    }

    public static long[] shape(Tensor t) {
        long[] shape = new long[Math.toIntExact(t.dim())];
        for (int i = 0; i < shape.length; i++) {
            shape[i] = t.size(i);
        }
        return shape;
    }

    public static DType dtype(Tensor t) {
        // What native code returns is not the enum constant itself, only equal to it in value.
        torch.ScalarType s = t.scalar_type();
        for (DType d : DType.values()) {
            if (scalarType(d).value == s.value) {
                return d;
            }
        }
        throw new IllegalArgumentException("no element type for " + s);
    }

    static torch.ScalarType scalarType(DType dtype) {
        return switch (dtype) {
            case BOOL -> torch.ScalarType.Bool;
            case U8 -> torch.ScalarType.Byte;
            case I8 -> torch.ScalarType.Char;
            case F8_E4M3 -> torch.ScalarType.Float8_e4m3fn;
            case F8_E5M2 -> torch.ScalarType.Float8_e5m2;
            case F8_E8M0 -> torch.ScalarType.Float8_e8m0fnu;
            case I16 -> torch.ScalarType.Short;
            case U16 -> torch.ScalarType.UInt16;
            case F16 -> torch.ScalarType.Half;
            case BF16 -> torch.ScalarType.BFloat16;
            case I32 -> torch.ScalarType.Int;
            case U32 -> torch.ScalarType.UInt32;
            case F32 -> torch.ScalarType.Float;
            case I64 -> torch.ScalarType.Long;
            case U64 -> torch.ScalarType.UInt64;
            case F64 -> torch.ScalarType.Double;
        };
    }

    private static TensorOptions options(DType dtype) {
        return new TensorOptions(scalarType(dtype));
    }
}
