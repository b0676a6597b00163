package dev.halftone.conformance;

import dev.halftone.conformance.CaseResult.Status;
import dev.halftone.format.Json;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// The outcomes of a folder of golden cases.
public record ConformanceReport(List<CaseResult> cases) {
    public ConformanceReport {
        cases = List.copyOf(cases);
    }

    public int passed() {
        return count(Status.PASSED);
    }

    public int failed() {
        return count(Status.DIFFERS);
    }

    public int unsupported() {
        return count(Status.UNSUPPORTED);
    }

    private int count(Status status) {
        return Math.toIntExact(cases.stream().filter(c -> c.status() == status).count());
    }

    /// `{"cases": [{"name", "status", "detail", "max_error"}], "passed": n, "failed": n, "unsupported": n}`.
    public ObjectNode toJson() {
        ObjectNode json = Json.object();
        ArrayNode list = json.putArray("cases");
        for (CaseResult c : cases) {
            list.addObject()
                    .put("name", c.name())
                    .put("status", c.status().name().toLowerCase(Locale.ROOT))
                    .put("detail", c.detail())
                    .put("max_error", c.maxError());
        }
        return json.put("passed", passed()).put("failed", failed()).put("unsupported", unsupported());
    }
}
