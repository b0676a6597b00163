package dev.halftone.conformance;

import dev.halftone.InputException;
import dev.halftone.conformance.CaseResult.Status;
import dev.halftone.format.Json;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.kernel.Kernels;
import dev.halftone.quant.GradientRule;
import dev.halftone.torch.Scope;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Golden quantization cases: a folder with an `index.json` that lists them, and safetensors files with their
/// tensors.
///
/// Every tensor of a case that is not an input is computed anew from the inputs, by the code that trains and
/// converts, and compared within the case's own tolerance.
public final class QuantCases {
    static final String INDEX = "index.json";

    private final Path index;
    private final List<CaseFamily> families;
    private final Map<String, SafetensorsFile> files = new LinkedHashMap<>();

    private QuantCases(Path index, List<CaseFamily> families) {
        this.index = index;
        this.families = families;
    }

    /// Runs all cases of a folder.
    ///
    /// @param kernels which implementation computes; null for the fastest on this machine
    /// @throws InputException if the folder is not what its index says
    public static List<CaseResult> run(Path folder, @Nullable Kernels kernels) {
        Path index = folder.resolve(INDEX);
        ObjectNode json = Json.readObject(index);
        GradientRule rule = switch (json.path("clamp_gradient").asString("open")) {
            case "open" -> GradientRule.OPEN;
            case "closed" -> GradientRule.CLOSED;
            default ->
                throw new InputException(
                        "%s: clamp_gradient is neither open nor closed. Generate it again.".formatted(index));
        };
        if (!json.path("cases").isArray() || json.path("cases").isEmpty()) {
            throw new InputException("%s lists no cases. Generate it again.".formatted(index));
        }
        QuantCases cases = new QuantCases(
                index,
                List.of(
                        new IntxCases(kernels, rule),
                        new LearnedCases(kernels, rule),
                        new Int4Cases(kernels, rule),
                        new Int4LayoutCases(kernels),
                        new Int8Cases(kernels, rule),
                        new CompressedIntCases(kernels),
                        new StaticCases(kernels),
                        new GgufCases(kernels),
                        new FloatBlockCases(kernels),
                        new Float8Cases(kernels, rule),
                        new ModelOptCases(kernels)));
        try {
            List<CaseResult> results = new ArrayList<>();
            for (JsonNode c : json.path("cases")) {
                results.add(cases.run(c));
            }
            return results;
        } finally {
            cases.files.values().forEach(SafetensorsFile::close);
        }
    }

    private CaseResult run(JsonNode json) {
        String name = json.path("name").asString("");
        SafetensorsFile file = files.computeIfAbsent(json.path("file").asString(""), f -> open(name, f));
        GoldenCase golden = new GoldenCase(index, name, json, file);
        try (Scope _ = Scope.open()) {
            Optional<Map<String, Computed>> computed = families.stream()
                    .map(family -> family.compute(golden))
                    .flatMap(Optional::stream)
                    .findFirst();
            return computed.isPresent()
                    ? compared(golden, computed.get())
                    : unsupported(name, golden.scheme() + " is not supported yet");
        }
    }

    /// @param file a name, never a path out of the folder
    private SafetensorsFile open(String name, String file) {
        Path path = Path.of(file);
        if (file.isEmpty() || path.getNameCount() != 1 || path.isAbsolute() || file.startsWith(".")) {
            throw new InputException(
                    "%s, case '%s': '%s' is not the name of a file beside the index. Generate the folder again."
                            .formatted(index, name, file));
        }
        return SafetensorsFile.open(index.resolveSibling(path));
    }

    private static CaseResult compared(GoldenCase golden, Map<String, Computed> computed) {
        List<String> differences = new ArrayList<>();
        double maxError = 0;
        int tensors = 0;
        for (String role : golden.roles()) {
            Computed ours = computed.get(role);
            if (ours == null) {
                if (!golden.inputs().contains(role)) {
                    return unsupported(golden.name(), "the role '%s' is not supported yet".formatted(role));
                }
                continue;
            }
            Optional<Tolerance> tolerance = golden.tolerance(role);
            if (tolerance.isEmpty()) {
                return unsupported(golden.name(), "the tolerance of '%s' is of an unknown kind".formatted(role));
            }
            Comparison c = Comparison.of(ours.value(), golden.tensor(role), ours.terms(), tolerance.get());
            c.difference().ifPresent(d -> differences.add(role + " " + d));
            maxError = Math.max(maxError, c.maxError());
            tensors++;
        }
        return differences.isEmpty()
                ? new CaseResult(golden.name(), Status.PASSED, tensors + " tensors", maxError)
                : new CaseResult(golden.name(), Status.DIFFERS, String.join("; ", differences), maxError);
    }

    private static CaseResult unsupported(String name, String why) {
        return new CaseResult(name, Status.UNSUPPORTED, why, 0);
    }
}
