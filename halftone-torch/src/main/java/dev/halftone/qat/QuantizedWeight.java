package dev.halftone.qat;

import dev.halftone.DType;
import dev.halftone.kernel.IntxKernel;
import dev.halftone.kernel.IntxKernel.Quantized;
import dev.halftone.kernel.Kernels;
import dev.halftone.nn.Weight;
import dev.halftone.quant.Int32Packing;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.IntxScheme;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// A weight as codes and scales: what `convert` leaves, and what a quantized checkpoint holds.
///
/// Products run on the values that the codes stand for, which are computed once and kept.
public final class QuantizedWeight implements Weight {
    private final IntxScheme scheme;
    private final DType dtype;
    private final DType computeDtype;
    private final Tensor codes_NK;
    private final Tensor scale_NG;
    private @Nullable Tensor value;

    /// Owns its tensors from here on.
    ///
    /// @param dtype type of the weight that was quantized: the type of the arithmetic between codes and values
    /// @param computeDtype type of the products, and so of [#value()]
    /// @param codes_NK int8
    /// @param scale_NG in the type that the scheme has for this dtype
    /// @throws IllegalArgumentException if shapes or dtypes don't belong together
    public QuantizedWeight(IntxScheme scheme, DType dtype, DType computeDtype, Tensor codes_NK, Tensor scale_NG) {
        this.scheme = scheme;
        this.dtype = dtype;
        this.computeDtype = computeDtype;
        this.codes_NK = codes_NK;
        this.scale_NG = scale_NG;
        long groups = codes_NK.size(1) / scheme.granularity().groupSize(codes_NK.size(1));
        if (Torch.dtype(codes_NK) != DType.I8
                || Torch.dtype(scale_NG) != grid().scaleDtype()
                || !Arrays.equals(Torch.shape(scale_NG), new long[] {codes_NK.size(0), groups})) {
            throw new IllegalArgumentException("codes %s%s and scales %s%s are no %s weight of %s"
                    .formatted(
                            Torch.dtype(codes_NK),
                            Arrays.toString(Torch.shape(codes_NK)),
                            Torch.dtype(scale_NG),
                            Arrays.toString(Torch.shape(scale_NG)),
                            scheme.label(),
                            dtype));
        }
        Scope.own(codes_NK);
        Scope.own(scale_NG);
    }

    /// Quantizes `w_NK` in the arithmetic of its own dtype.
    static QuantizedWeight of(Tensor w_NK, IntxScheme scheme, DType computeDtype, IntxKernel kernel) {
        DType dtype = Torch.dtype(w_NK);
        int group = scheme.granularity().groupSize(w_NK.size(1));
        Quantized q = kernel.quantize(w_NK, group, IntxGrid.weights(scheme, dtype));
        return new QuantizedWeight(scheme, dtype, computeDtype, q.codes(), q.scale());
    }

    public IntxScheme scheme() {
        return scheme;
    }

    /// Type of the weight that was quantized.
    public DType dtype() {
        return dtype;
    }

    /// `[N, K]`, int8, between the scheme's `qmin` and `qmax`.
    public Tensor codes() {
        return codes_NK;
    }

    /// `[N, G]`
    public Tensor scale() {
        return scale_NG;
    }

    @Override
    public Tensor value() {
        Tensor v = value;
        if (v == null) {
            try (Scope _ = Scope.open();
                    NoGrad _ = NoGrad.open()) {
                Tensor dequantized =
                        Kernels.intx(null, codes_NK).dequantize(new Quantized(codes_NK, scale_NG, null), grid());
                v = Scope.own(Ops.to(dequantized, computeDtype));
                value = v;
            }
        }
        return v;
    }

    @Override
    public long[] shape() {
        return Torch.shape(codes_NK);
    }

    /// Bytes of the packed codes and the scales: what it takes on disk.
    public long bytes() {
        long words = Int32Packing.wordsPerRow(Math.toIntExact(codes_NK.size(1)), scheme.weightBits());
        return codes_NK.size(0) * words * Integer.BYTES + scale_NG.numel() * scale_NG.element_size();
    }

    /// The codes in 32-bit words, `[N, words]` int32 on the CPU: compressed-tensors' `weight_packed`
    /// ([Int32Packing]).
    public Tensor packed() {
        int columns = Math.toIntExact(codes_NK.size(1));
        try (Scope scope = Scope.open()) {
            byte[] codes = Torch.memory(codes_NK.cpu().contiguous()).toArray(ValueLayout.JAVA_BYTE);
            int[] words = Int32Packing.pack(codes, columns, scheme.weightBits());
            int perRow = Int32Packing.wordsPerRow(columns, scheme.weightBits());
            return scope.keep(Torch.of(MemorySegment.ofArray(words), DType.I32, codes_NK.size(0), perRow));
        }
    }

    /// The codes that [#packed] packed, `[N, columns]` int8.
    ///
    /// @param packed_NW int32 on the CPU
    /// @throws IllegalArgumentException if the rows of `packed_NW` have not as many words as `columns` codes need
    public static Tensor unpack(Tensor packed_NW, int columns, int bits) {
        if (packed_NW.size(1) != Int32Packing.wordsPerRow(columns, bits)) {
            throw new IllegalArgumentException(
                    "%d codes of %d bits are not in %d words".formatted(columns, bits, packed_NW.size(1)));
        }
        try (Scope scope = Scope.open()) {
            int[] words = Torch.memory(packed_NW.contiguous()).toArray(ValueLayout.JAVA_INT_UNALIGNED);
            byte[] codes = Int32Packing.unpack(words, columns, bits);
            return scope.keep(Torch.of(MemorySegment.ofArray(codes), DType.I8, packed_NW.size(0), columns));
        }
    }

    @Override
    public void close() {
        codes_NK.close();
        scale_NG.close();
        if (value != null) {
            value.close();
        }
    }

    private IntxGrid grid() {
        return IntxGrid.weights(scheme, dtype);
    }
}
