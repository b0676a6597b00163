package dev.halftone.cli;

import dev.halftone.Version;
import dev.halftone.config.Plain;
import dev.halftone.config.schema.EvalConfig;
import dev.halftone.config.schema.ExportConfig;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.config.schema.GenerateConfig;
import dev.halftone.config.schema.MergeConfig;
import dev.halftone.config.schema.QuantizeConfig;
import dev.halftone.config.schema.RecipeConfig;
import dev.halftone.eval.Perplexity;
import dev.halftone.eval.Perplexity.Document;
import dev.halftone.format.Json;
import dev.halftone.generate.Generation;
import dev.halftone.recipe.Certificate;
import dev.halftone.recipe.EvalRecipe;
import dev.halftone.recipe.Events;
import dev.halftone.recipe.Events.Table;
import dev.halftone.recipe.ExportRecipe;
import dev.halftone.recipe.FinetuneRecipe;
import dev.halftone.recipe.GenerateRecipe;
import dev.halftone.recipe.MergeRecipe;
import dev.halftone.recipe.QuantizeRecipe;
import dev.halftone.recipe.Recipes;
import dev.halftone.report.RunReport;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Calls the recipe that a configuration is for, and puts what it gave into the JSON document of `--json`:
/// `{"results": {…}, "config": {…}, "versions": {…}}`, as lm-evaluation-harness lays it out.
final class RecipeRun {
    private RecipeRun() {}

    static ObjectNode run(Recipe<?> recipe, RecipeConfig config, Events events) {
        ObjectNode json = Json.object();
        ObjectNode results = json.putObject("results");
        switch (config) {
            case FinetuneConfig c ->
                finetune(
                        c,
                        switch (recipe.name()) {
                            case "qat" -> Recipes.qat(c, events);
                            case "lora" -> Recipes.lora(c, events);
                            case "qat_lora" -> Recipes.qatLora(c, events);
                            default -> Recipes.full(c, events);
                        },
                        events,
                        results);
            case MergeConfig c -> merge(Recipes.merge(c, events), events, results);
            case QuantizeConfig c -> quantize(Recipes.quantize(c, events), events, results);
            case ExportConfig c -> export(Recipes.export(c, events), events, results);
            case EvalConfig c -> eval(Recipes.eval(c, events), results);
            case GenerateConfig c -> generate(Recipes.generate(c, events), events, results);
        }
        json.set("config", Json.of(Plain.of((Record) config)));
        json.putObject("versions").put("halftone", Version.number());
        return json;
    }

    private static void finetune(FinetuneConfig config, FinetuneRecipe.Result result, Events events, ObjectNode to) {
        if (result.model() != null) {
            to.put("model", result.model().toString());
        }
        if (result.adapter() != null) {
            to.put("adapter", result.adapter().toString());
        }
        to.put("steps", result.steps()).put("loss", result.loss());
        if (result.mergeDrift() != null) {
            to.set("merge_drift", result.mergeDrift().json());
        }
        if (result.artifact() != null && result.certificate() != null) {
            artifact(result.artifact(), result.certificate(), to);
        }
        to.put("report", RunReport.write(config.outputDir()).toString());
        tell(to, events);
    }

    private static void quantize(QuantizeRecipe.Result result, Events events, ObjectNode to) {
        artifact(result.artifact(), result.certificate(), to);
        tell(to, events);
    }

    private static void merge(MergeRecipe.Result result, Events events, ObjectNode to) {
        if (result.certificate() == null) {
            to.put("model", result.model().toString());
        } else {
            artifact(result.model(), result.certificate(), to);
        }
        tell(to, events);
    }

    private static void export(ExportRecipe.Result result, Events events, ObjectNode to) {
        to.put("output", result.output().toString())
                .set("certificate", result.certificate().json());
        tell(to, events);
    }

    private static void artifact(Path artifact, Certificate certificate, ObjectNode to) {
        to.put("artifact", artifact.toString()).set("certificate", certificate.json());
    }

    /// The plain results as a table.
    private static void tell(ObjectNode results, Events events) {
        List<List<String>> rows = new ArrayList<>();
        results.forEachEntry((key, value) -> {
            if (value.isValueNode()) {
                rows.add(List.of(key, value.asString()));
            }
        });
        events.table(new Table(List.of("result", "value"), rows));
    }

    private static void eval(EvalRecipe.Result result, ObjectNode results) {
        result.tasks()
                .forEach((task, perplexity) ->
                        perplexity(perplexity, results.putObject(task.name().toLowerCase(Locale.ROOT))));
    }

    private static void generate(GenerateRecipe.Result result, Events events, ObjectNode to) {
        Generation generation = result.generation();
        events.text(System.lineSeparator());
        events.line(String.format(
                Locale.ROOT,
                "%d tokens of prompt, %.1f a second; %d new tokens, %.1f a second%s",
                result.promptTokens(),
                result.promptTokens() / generation.promptSeconds(),
                generation.tokens().length,
                generation.tokensPerSecond(),
                generation.ended() ? "" : "; the limit ended them"));
        ArrayNode tokens = to.put("text", result.text())
                .put("prompt_tokens", result.promptTokens())
                .put("ended", generation.ended())
                .put("prompt_seconds", generation.promptSeconds())
                .put("prompt_tokens_per_second", result.promptTokens() / generation.promptSeconds())
                .put("tokens_per_second", generation.tokensPerSecond())
                .putArray("tokens");
        Arrays.stream(generation.tokens()).forEach(tokens::add);
    }

    private static void perplexity(Perplexity perplexity, ObjectNode to) {
        document(perplexity.total(), to);
        ArrayNode documents = to.putArray("documents");
        for (Document d : perplexity.documents()) {
            document(d, documents.addObject().put("name", d.name()));
        }
    }

    private static void document(Document d, ObjectNode to) {
        to.put("word_perplexity", d.wordPerplexity())
                .put("byte_perplexity", d.bytePerplexity())
                .put("bits_per_byte", d.bitsPerByte())
                .put("log_likelihood", d.logLikelihood())
                .put("words", d.words())
                .put("bytes", d.bytes())
                .put("tokens", d.tokens());
    }
}
