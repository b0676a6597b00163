package dev.halftone.recipe;

import dev.halftone.InputException;
import dev.halftone.checkpoint.Packing;
import dev.halftone.config.schema.LoraConfig;
import dev.halftone.config.schema.QuantizerConfig.OneScheme;
import dev.halftone.kernel.GridMatrix;
import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.Nf4Matrix;
import dev.halftone.kernel.PackedMatrix;
import dev.halftone.nn.Globs;
import dev.halftone.quant.Grid;
import dev.halftone.torch.Torch;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// What a configuration says of the frozen weights beneath adapters.
final class Packings {
    private Packings() {}

    /// @return null where they stay as they are
    static @Nullable Packing of(LoraConfig config) {
        if (config.baseQuantizer() != null) {
            List<OneScheme> parts = config.baseQuantizer().parts();
            return (layer, w_NK) -> grid(layer, w_NK, parts);
        }
        return config.quantizeBase() ? Packings::nf4 : null;
    }

    private static @Nullable PackedMatrix nf4(String layer, Tensor w_NK) {
        if (layer.equals("lm_head")) {
            return null;
        }
        if (w_NK.numel() % Nf4Matrix.BLOCK != 0) {
            throw new InputException(
                    "quantize_base: %s has %d weights, which is no multiple of %d. Use base_quantizer=IntxWeightOnlyConfig base_quantizer.groupsize=channel."
                            .formatted(layer, w_NK.numel(), Nf4Matrix.BLOCK));
        }
        return Nf4Matrix.of(w_NK);
    }

    /// By the last quantizer that means the layer.
    private static @Nullable PackedMatrix grid(String layer, Tensor w_NK, List<OneScheme> parts) {
        for (OneScheme q : parts.reversed()) {
            if (matches(q.layers().include(), layer) && !matches(q.layers().exclude(), layer)) {
                Grid grid = q.scheme().weights(Torch.dtype(w_NK));
                int columns = Math.toIntExact(w_NK.size(1));
                int group = grid.granularity().groupSize(columns);
                if (columns % group != 0) {
                    throw new InputException(
                            "base_quantizer: groups of %d do not divide the %d inputs of %s. Use another group size, or put that layer into exclude."
                                    .formatted(group, columns, layer));
                }
                return GridMatrix.of(Kernels.of(null, grid, w_NK).quantize(w_NK), grid);
            }
        }
        return null;
    }

    private static boolean matches(List<String> globs, String layer) {
        return globs.stream().anyMatch(g -> Globs.pattern(g).matcher(layer).matches());
    }
}
