package dev.halftone.conformance;

import dev.halftone.DType;
import dev.halftone.format.gguf.GgmlType;
import dev.halftone.kernel.GgufRows;
import dev.halftone.kernel.GridKernel;
import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.Quantized;
import dev.halftone.quant.GgufGrid;
import dev.halftone.quant.GgufLattice;
import dev.halftone.quant.Q8Grid;
import dev.halftone.torch.Torch;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// What Halftone computes from the inputs of the GGUF cases: the bytes of blocks, the values of bytes, and 8-bit
/// activations.
///
/// @param kernels which implementation quantizes; null for the fastest on this machine
record GgufCases(@Nullable Kernels kernels) implements CaseFamily {
    private static final Pattern ACTIVATION = Pattern.compile("GGUF activation Q8_(0|1|K)");
    private static final Pattern SCHEME = Pattern.compile("GGUF (\\w+)( dequantize only)?");

    @Override
    public Optional<Map<String, Computed>> compute(GoldenCase c) {
        Matcher activation = ACTIVATION.matcher(c.scheme());
        if (activation.matches()) {
            return Optional.of(activations(c, activation.group(1).equals("K") ? Q8Grid.Type.Q8_K : Q8Grid.Type.Q8_0));
        }
        Matcher scheme = SCHEME.matcher(c.scheme());
        if (!scheme.matches()) {
            return Optional.empty();
        }
        String type = scheme.group(1);
        return scheme.group(2) != null
                ? named(GgmlType.values(), type).map(t -> dequantized(c, t))
                : named(GgufLattice.values(), type).map(lattice -> quantized(c, lattice));
    }

    private static <E extends Enum<E>> Optional<E> named(E[] types, String name) {
        return Stream.of(types).filter(t -> t.name().equals(name)).findFirst();
    }

    private Map<String, Computed> quantized(GoldenCase c, GgufLattice lattice) {
        Tensor x = c.floats("x");
        if (x.size(-1) % lattice.blockSize() != 0) {
            throw c.malformed("'x' should hold blocks of " + lattice.blockSize());
        }
        GgufGrid grid = new GgufGrid(lattice, Torch.dtype(x));
        GridKernel kernel = Kernels.of(kernels, grid, x);
        return Map.of(
                "raw", Computed.exact(GgufRows.pack(kernel.quantize(x), grid)),
                "x_dq", Computed.exact(kernel.fakeQuantized(x)));
    }

    private Map<String, Computed> activations(GoldenCase c, Q8Grid.Type type) {
        Tensor x = c.floats("x");
        GridKernel kernel = Kernels.of(kernels, new Q8Grid(type, Torch.dtype(x)), x);
        Quantized q = kernel.quantize(x);
        return Map.of(
                "codes", Computed.exact(q.codes()),
                "scale", Computed.exact(q.scale()),
                "x_fq", Computed.exact(kernel.fakeQuantized(x)));
    }

    private static Map<String, Computed> dequantized(GoldenCase c, GgmlType type) {
        Tensor raw = c.input("raw");
        if (Torch.dtype(raw) != DType.U8 || raw.dim() != 2 || raw.size(1) % type.blockBytes() != 0) {
            throw c.malformed("'raw' should be rows of blocks of %d bytes".formatted(type.blockBytes()));
        }
        float[] values = type.dequantize(Torch.memory(raw));
        return Map.of(
                "x_dq",
                Computed.exact(Torch.of(values, raw.size(0), raw.size(1) / type.blockBytes() * type.blockSize())));
    }
}
