package dev.halftone.conformance;

import dev.halftone.DType;
import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.Quantized;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Int4Grid;
import dev.halftone.quant.Int4Layouts;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The cases of layouts in which runtimes store int4 codes: role to tensor. N rows of a weight, K columns.
final class Int4LayoutCases implements CaseFamily {
    private static final Pattern BLOCK = Pattern.compile("\"block_size\": \\[1, (\\d+)]");
    private static final int TILE_ROWS = 8;
    private static final int TILE_COLUMNS = 16;
    private static final int LANES = 32;

    private final @Nullable Kernels kernels;

    Int4LayoutCases(@Nullable Kernels kernels) {
        this.kernels = kernels;
    }

    @Override
    public Optional<Map<String, Computed>> compute(GoldenCase c) {
        return switch (c.scheme()) {
            case "torchao Int4Tensor PLAIN" -> Optional.of(plain(c, false));
            case "torchao Int4Tensor PLAIN, fp8 activation" -> Optional.of(plain(c, true));
            case "torchao Int4TilePackedTo4dTensor" -> Optional.of(tilePacked(c));
            case "aten int4 tile packing" -> Optional.of(tiles(c));
            default -> Optional.empty();
        };
    }

    /// A stored tensor of torchao: `flat.<name>_qdata`, `…_scale`, `…_zero_point`.
    private Map<String, Computed> plain(GoldenCase c, boolean aroundZero) {
        Tensor w_NK = c.matrix("w");
        Matcher block = BLOCK.matcher(IntxCases.metadata(c));
        if (!block.find()) {
            throw c.malformed("params.safetensors_metadata has no block_size");
        }
        Granularity groups =
                new Granularity.PerGroup(IntxCases.checkedGroup(c, Integer.parseInt(block.group(1)), w_NK));
        DType dtype = Torch.dtype(w_NK);
        Int4Grid grid = aroundZero ? Int4Grid.magnitude(dtype, groups) : Int4Grid.minimum(dtype, dtype, groups, false);
        Quantized q = Kernels.of(kernels, grid, w_NK).quantize(w_NK);
        Tensor scale_GN = q.scale().t();
        Map<String, Computed> roles = new LinkedHashMap<>();
        for (String role : c.roles()) {
            if (role.endsWith("_qdata")) {
                roles.put(role, Computed.exact(Int4Cases.packed(q.codes())));
            } else if (role.endsWith("_scale")) {
                roles.put(role, Computed.exact(scale_GN));
            } else if (role.endsWith("_zero_point")) {
                Tensor zero_GN = aroundZero
                        ? Torch.zeros(dtype, Torch.shape(scale_GN))
                        : Int4Cases.zero(q).t();
                roles.put(role, Computed.exact(zero_GN));
            }
        }
        return roles;
    }

    /// A weight with zeros added until it is made of whole tiles.
    private Map<String, Computed> tilePacked(GoldenCase c) {
        Tensor w_NK = c.matrix("w");
        int inner = inner(c);
        int rows = c.parameters().path("padded_shape").path(0).asInt(0);
        int columns = c.parameters().path("padded_shape").path(1).asInt(0);
        if (rows < w_NK.size(0) || columns < w_NK.size(1)) {
            throw c.malformed("params.padded_shape is smaller than 'w'");
        }
        Tensor padded_NK = Torch.zeros(Torch.dtype(w_NK), rows, columns);
        padded_NK.narrow(0, 0, w_NK.size(0)).narrow(1, 0, w_NK.size(1)).copy_(w_NK);
        int group = IntxCases.checkedGroup(c, c.parameter("group_size"), padded_NK);
        Int4Grid grid = Int4Grid.tilePacked(Torch.dtype(w_NK), new Granularity.PerGroup(group));
        Quantized q = Kernels.of(kernels, grid, w_NK).quantize(padded_NK);
        long shown = Math.min(columns, c.tensor("codes").size(-1));
        Map<String, Computed> roles = new LinkedHashMap<>();
        roles.put("codes", Computed.exact(q.codes().narrow(1, 0, shown)));
        roles.put("qdata", Computed.exact(packed(c, q.codes(), inner)));
        roles.put("scale_and_zero", Computed.exact(Int4Cases.scalesAndZeros(q)));
        return roles;
    }

    private static Map<String, Computed> tiles(GoldenCase c) {
        Tensor codes_NK = c.input("codes");
        Tensor packed = c.input("packed");
        int inner = inner(c);
        if (Torch.dtype(codes_NK) != DType.U8 || codes_NK.dim() != 2 || Torch.dtype(packed) != DType.I32) {
            throw c.malformed("'codes' should be a uint8 matrix, 'packed' int32");
        }
        Map<String, Computed> roles = new LinkedHashMap<>();
        roles.put("packed", Computed.exact(packed(c, codes_NK, inner)));
        if (packed.numel() * 8 == codes_NK.numel()) {
            int[] words = Torch.memory(packed.contiguous()).toArray(ValueLayout.JAVA_INT_UNALIGNED);
            byte[] codes = Int4Layouts.unpackTiles(words, Math.toIntExact(codes_NK.size(1)), inner);
            Tensor unpacked_NK = Torch.of(MemorySegment.ofArray(codes), DType.U8, Torch.shape(codes_NK));
            roles.put("codes", Computed.exact(unpacked_NK));
        }
        return roles;
    }

    private static Tensor packed(GoldenCase c, Tensor codes_NK, int inner) {
        int columns = Math.toIntExact(codes_NK.size(1));
        if (codes_NK.size(0) % TILE_ROWS != 0 || columns % (TILE_COLUMNS * inner) != 0) {
            throw c.malformed("the codes are not made of whole tiles");
        }
        int[] words = Int4Layouts.packTiles(Int4Cases.bytes(codes_NK), columns, inner);
        return Torch.of(
                MemorySegment.ofArray(words),
                DType.I32,
                codes_NK.size(0) / TILE_ROWS,
                columns / (TILE_COLUMNS * inner),
                LANES,
                inner / 2);
    }

    private static int inner(GoldenCase c) {
        int inner = c.parameter("inner_k_tiles");
        if (inner != 2 && inner != 4 && inner != 8) {
            throw c.malformed("params.inner_k_tiles is not 2, 4 or 8");
        }
        return inner;
    }
}
