package dev.halftone.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.InputStream;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

class LrScheduleTest {
    private static final Pattern NAME =
            Pattern.compile("(cosine|linear|constant_with_warmup)_warmup(\\d+)_total(\\d+)(?:_cycles([\\d.]+))?");

    @ParameterizedTest
    @ValueSource(strings = {"lr_schedules.json", "torchtune_lr_schedule.json"})
    void schedulesMatchTransformersAndTorchtune(String file) throws Exception {
        try (InputStream in = LrScheduleTest.class.getResourceAsStream("/golden/optim/" + file)) {
            JsonNode golden = new ObjectMapper().readTree(in);
            double base = golden.get("base_lr").doubleValue();
            for (Map.Entry<String, JsonNode> e : golden.get("schedules").properties()) {
                LrSchedule schedule = schedule(e.getKey());
                for (int step = 0; step < e.getValue().size(); step++) {
                    assertThat(base * schedule.factor(step))
                            .as("%s, step %d", e.getKey(), step)
                            .isCloseTo(e.getValue().get(step).doubleValue(), within(1e-18));
                }
            }
        }
    }

    private static LrSchedule schedule(String name) {
        Matcher m = NAME.matcher(name);
        assertThat(m.matches()).isTrue();
        long warmup = Long.parseLong(m.group(2));
        long total = Long.parseLong(m.group(3));
        return switch (m.group(1)) {
            case "cosine" ->
                new LrSchedule.Cosine(warmup, total, m.group(4) == null ? 0.5 : Double.parseDouble(m.group(4)));
            case "linear" -> new LrSchedule.Linear(warmup, total);
            default -> new LrSchedule.Constant(warmup);
        };
    }
}
