package dev.halftone.recipe;

import static org.junit.jupiter.api.Assumptions.abort;

import dev.halftone.format.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;

/// The real llama.cpp, in a Python that has the packages xllamacpp and gguf: `-Dhalftone.llama.python=PYTHON`, or
/// `HALFTONE_LLAMA_PYTHON` in the environment.
record LlamaCpp(String python) {
    /// Skips the test where there is none.
    static LlamaCpp orSkip() {
        String python = System.getProperty("halftone.llama.python", System.getenv("HALFTONE_LLAMA_PYTHON"));
        if (python == null) {
            String reason = "no llama.cpp: set HALFTONE_LLAMA_PYTHON to a Python with `pip install xllamacpp gguf`";
            System.err.println("Skipped: " + reason);
            return abort(reason);
        }
        return new LlamaCpp(python);
    }

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
        try {
            Path file = Files.createTempFile("halftone", ".py");
            Path errors = Files.createTempFile("halftone", ".err");
            try (var in = LlamaCpp.class.getResourceAsStream("/" + script)) {
                Files.write(file, in.readAllBytes());
            }
            Process process = new ProcessBuilder(python, file.toString(), argument)
                    .redirectError(errors.toFile())
                    .start();
            try (var out = process.getOutputStream()) {
                out.write(input.getBytes(StandardCharsets.UTF_8));
            }
            String answer = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (!process.waitFor(5, TimeUnit.MINUTES) || process.exitValue() != 0) {
                throw new AssertionError("%s failed: %s".formatted(script, Files.readString(errors)));
            }
            return Json.parseObject("{\"answer\": %s}".formatted(answer)).path("answer");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
