package dev.halftone.recipe;

import dev.halftone.config.schema.KernelChoice;
import dev.halftone.config.schema.QuantizerConfig;
import dev.halftone.config.schema.QuantizerConfig.OneScheme;
import dev.halftone.kernel.Kernels;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.Targets;
import dev.halftone.optim.Gradients;
import dev.halftone.qat.BitSearch;
import dev.halftone.qat.QuantizationPlan;
import dev.halftone.qat.QuantizationPlan.Rule;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a configuration says of quantization, as a plan for a model.
final class Plans {
    private Plans() {}

    /// @param model in float
    /// @param folder that it came from: a search for widths measures it on text that its tokenizer reads
    static QuantizationPlan of(
            QuantizerConfig quantizer, @Nullable KernelChoice choice, CausalLm model, Path folder, Events events) {
        @Nullable Kernels kernels = kernels(choice);
        List<OneScheme> parts = quantizer.parts();
        boolean search = parts.stream().anyMatch(q -> q.searchedBits().isPresent());
        if (search) {
            events.line("Measuring how much each layer's error matters");
            backward(model, folder);
        }
        List<Rule> rules = new ArrayList<>();
        for (OneScheme q : parts) {
            Rule rule = new Rule(q.scheme(), q.layers().include(), q.layers().exclude(), q.gradientRule());
            if (q.searchedBits().isPresent()) {
                rules.addAll(BitSearch.search(model, rule, q.searchedBits().getAsDouble(), kernels));
            } else {
                rules.add(rule);
            }
        }
        if (search) {
            Collection<Parameter> parameters = model.namedParameters().values();
            Gradients.clear(parameters);
            parameters.forEach(p -> p.setTrainable(false));
        }
        return new QuantizationPlan(rules, kernels);
    }

    /// Leaves the gradients of the certificate's text in the parameters.
    private static void backward(CausalLm model, Path folder) {
        model.namedParameters().values().forEach(p -> p.setTrainable(true));
        Tokens tokens = CertificateText.tokens(
                folder, model.config().vocabSize(), model.config().maxPositions());
        Targets targets = Targets.shifted(1, tokens.seqLen(), tokens.ids());
        model.lossAndBackward(tokens, targets, targets.count());
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
