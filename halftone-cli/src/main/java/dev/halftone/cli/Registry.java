package dev.halftone.cli;

import dev.halftone.InputException;
import dev.halftone.config.Nearest;
import dev.halftone.config.Node;
import dev.halftone.config.schema.EvalConfig;
import dev.halftone.config.schema.ExportConfig;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.config.schema.GenerateConfig;
import dev.halftone.config.schema.MergeConfig;
import dev.halftone.config.schema.QuantizeConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/// All recipes, with their configurations and their names in torchtune.
///
/// torchtune's recipes for several devices are those for one: what they compute is the same.
final class Registry {
    static final List<Recipe<?>> ALL = List.of(
            new Recipe<>(
                    "full",
                    List.of("full_finetune_single_device", "full_finetune_distributed"),
                    List.of("full", "quickstart/full", "quickstart/pretrain", "smollm2_135M/full"),
                    FinetuneConfig.class,
                    FinetuneConfig::forFull),
            new Recipe<>(
                    "qat",
                    List.of("qat_single_device", "qat_distributed"),
                    List.of("qat", "quickstart/qat", "smollm2_135M/qat_8da4w", "smollm2_135M/qat_int3"),
                    FinetuneConfig.class,
                    FinetuneConfig::forQat),
            new Recipe<>(
                    "lora",
                    List.of("lora_finetune_single_device", "lora_finetune_distributed"),
                    List.of("lora", "qlora"),
                    FinetuneConfig.class,
                    FinetuneConfig::forLora),
            new Recipe<>(
                    "qat_lora",
                    List.of("qat_lora_finetune_distributed"),
                    List.of("qat_lora"),
                    FinetuneConfig.class,
                    FinetuneConfig::forQatLora),
            new Recipe<>("merge", List.of(), List.of("merge"), MergeConfig.class, UnaryOperator.identity()),
            new Recipe<>("quantize", List.of(), List.of("quantize"), QuantizeConfig.class, UnaryOperator.identity()),
            new Recipe<>("export", List.of(), List.of("export"), ExportConfig.class, UnaryOperator.identity()),
            new Recipe<>("eval", List.of("eleuther_eval"), List.of("eval"), EvalConfig.class, UnaryOperator.identity()),
            new Recipe<>(
                    "generate",
                    List.of("dev/generate_v2", "dev/generate_v2_distributed"),
                    List.of("generate"),
                    GenerateConfig.class,
                    UnaryOperator.identity()));

    private Registry() {}

    /// The recipe of that name, or of that name in torchtune.
    static Optional<Recipe<?>> find(String name) {
        return first(r -> r.name().equals(name) || r.aliases().contains(name));
    }

    /// @throws InputException if there is none, with the nearest name
    static Recipe<?> named(String name) {
        return find(name)
                .orElseThrow(() -> new InputException(
                        name.matches(".*(lora|dora|dpo|ppo|grpo|distill|early_exit).*")
                                ? "the recipe '%s' is not in this version. It has %s."
                                        .formatted(name, String.join(", ", names()))
                                : "there is no recipe '%s'.%s".formatted(name, Nearest.hint(name, allNames()))));
    }

    /// The recipe that a shipped configuration belongs to.
    static Optional<Recipe<?>> ofConfig(String config) {
        return first(r -> r.configs().contains(config));
    }

    /// The recipe that a configuration must be meant for, from the keys that only one kind has.
    static Optional<Recipe<?>> guess(Node.Mapping tree) {
        if (has(tree, "optimizer") || has(tree, "dataset")) {
            boolean adapts = has(tree, "lora_rank") || has(tree, "model.lora_rank");
            return has(tree, "quantizer") ? find(adapts ? "qat_lora" : "qat") : find(adapts ? "lora" : "full");
        }
        if (has(tree, "adapter_dir")) {
            return find("merge");
        }
        if (has(tree, "format")) {
            return find("export");
        }
        if (has(tree, "prompt") || has(tree, "messages") || has(tree, "max_new_tokens")) {
            return find("generate");
        }
        if (has(tree, "tasks") || has(tree, "data_files")) {
            return find("eval");
        }
        return has(tree, "quantizer") ? find("quantize") : Optional.empty();
    }

    private static Optional<Recipe<?>> first(Predicate<Recipe<?>> predicate) {
        for (Recipe<?> recipe : ALL) {
            if (predicate.test(recipe)) {
                return Optional.of(recipe);
            }
        }
        return Optional.empty();
    }

    private static boolean has(Node.Mapping tree, String key) {
        Node.Entry entry = tree.at(key);
        return entry != null && !entry.value().isNull();
    }

    static List<String> names() {
        return ALL.stream().map(Recipe::name).toList();
    }

    static List<String> configNames() {
        return ALL.stream().flatMap(r -> r.configs().stream()).toList();
    }

    private static List<String> allNames() {
        List<String> names = new ArrayList<>(names());
        ALL.forEach(r -> names.addAll(r.aliases()));
        return names;
    }
}
