package dev.halftone.recipe;

import dev.halftone.Python;
import dev.halftone.format.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;

/// The real llama.cpp, in the package xllamacpp of a Python.
record LlamaCpp(Python python) {
    /// How it goes on after a text, greedily.
    ///
    /// @param prompt the text's tokens
    /// @param ids those that it adds
    /// @param top for each of them the likeliest tokens, and their log-probabilities
    record Continuation(int[] prompt, int[] ids, List<int[]> top, List<double[]> logProbabilities) {}

    /// @param tokens how many to add
    /// @param top of how many tokens the log-probabilities
    List<Continuation> complete(Path gguf, List<String> texts, int tokens, int top) {
        ArrayNode cases = Json.object().putArray("cases");
        texts.forEach(text ->
                cases.addObject().put("text", text).put("tokens", tokens).put("top", top));
        JsonNode answer = run("llama/complete.py", cases.toString(), gguf.toString());
        List<Continuation> all = new ArrayList<>();
        for (JsonNode a : answer) {
            List<int[]> ids = new ArrayList<>();
            List<double[]> logProbabilities = new ArrayList<>();
            for (JsonNode step : a.path("top")) {
                ids.add(step.values().stream().mapToInt(t -> t.path(0).asInt()).toArray());
                logProbabilities.add(step.values().stream()
                        .mapToDouble(t -> t.path(1).asDouble())
                        .toArray());
            }
            all.add(new Continuation(ints(a.path("prompt")), ints(a.path("ids")), ids, logProbabilities));
        }
        return all;
    }

    private static int[] ints(JsonNode ids) {
        return ids.values().stream().mapToInt(JsonNode::asInt).toArray();
    }

    /// The JSON list that a script on the class path prints.
    JsonNode run(String script, String input, String argument) {
        String answer = python.run(Python.script(LlamaCpp.class, script), input, List.of(argument));
        return Json.parseObject("{\"answer\": %s}".formatted(answer)).path("answer");
    }
}
