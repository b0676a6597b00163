package dev.halftone.recipe;

import dev.halftone.config.schema.KernelChoice;
import dev.halftone.config.schema.QuantizerConfig;
import dev.halftone.kernel.Kernels;
import dev.halftone.qat.QuantizationPlan;
import dev.halftone.qat.QuantizationPlan.Rule;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a configuration says of quantization, as a plan.
final class Plans {
    private Plans() {}

    static QuantizationPlan of(QuantizerConfig quantizer, @Nullable KernelChoice kernels) {
        Rule rule = new Rule(quantizer.scheme(), quantizer.include(), quantizer.exclude(), quantizer.gradientRule());
        return new QuantizationPlan(List.of(rule), kernels(kernels));
    }

    private static @Nullable Kernels kernels(@Nullable KernelChoice choice) {
        return switch (choice) {
            case null -> null;
            case REFERENCE -> Kernels.REFERENCE;
            case VECTOR -> Kernels.VECTOR;
            case ATEN -> Kernels.ATEN;
        };
    }
}
