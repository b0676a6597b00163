package dev.halftone.recipe;

import dev.halftone.Python;
import dev.halftone.format.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;

/// The real llama.cpp, in the package xllamacpp of a Python.
record LlamaCpp(Python python) {
    /// How it goes on after a text, greedily.
    ///
    /// @param prompt the text's tokens
    /// @param ids those that it adds
    /// @param top for each of them the likeliest tokens with their log-probabilities
    /// @param again what comes next for llama.cpp with its default settings; empty where that was not asked for
    record Continuation(int[] prompt, int[] ids, List<Map<Integer, Double>> top, List<Next> again) {}

    /// @param id the likeliest token
    /// @param top the likeliest tokens with their log-probabilities
    record Next(int id, Map<Integer, Double> top) {}

    /// @param tokens how many to add
    /// @param top of how many tokens the log-probabilities
    List<Continuation> complete(Path gguf, List<String> texts, int tokens, int top, boolean again) {
        ArrayNode cases = Json.object().putArray("cases");
        texts.forEach(text -> cases.addObject()
                .put("text", text)
                .put("tokens", tokens)
                .put("top", top)
                .put("again", again));
        JsonNode answer = run("llama/complete.py", cases.toString(), gguf.toString());
        List<Continuation> all = new ArrayList<>();
        for (JsonNode a : answer) {
            List<Next> nexts = a.path("again").values().stream()
                    .map(n -> new Next(n.path(0).asInt(), top(n.path(1))))
                    .toList();
            all.add(new Continuation(
                    ints(a.path("prompt")),
                    ints(a.path("ids")),
                    a.path("top").values().stream().map(LlamaCpp::top).toList(),
                    nexts));
        }
        return all;
    }

    private static Map<Integer, Double> top(JsonNode step) {
        Map<Integer, Double> top = new LinkedHashMap<>();
        step.values().forEach(t -> top.put(t.path(0).asInt(), t.path(1).asDouble()));
        return top;
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
