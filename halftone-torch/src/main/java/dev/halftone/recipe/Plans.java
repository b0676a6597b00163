package dev.halftone.recipe;

import dev.halftone.config.schema.KernelChoice;
import dev.halftone.config.schema.QuantizerConfig;
import dev.halftone.kernel.Kernels;
import dev.halftone.qat.QuantizationPlan;
import dev.halftone.qat.QuantizationPlan.Rule;
import org.jspecify.annotations.Nullable;

/// What a configuration says of quantization, as a plan.
final class Plans {
    private Plans() {}

    static QuantizationPlan of(QuantizerConfig quantizer, @Nullable KernelChoice kernels) {
        return new QuantizationPlan(
                quantizer.parts().stream()
                        .map(q -> new Rule(q.scheme(), q.include(), q.exclude(), q.gradientRule()))
                        .toList(),
                kernels(kernels));
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
