package dev.halftone.recipe;

import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.metrics.JsonlMetrics;
import dev.halftone.nn.Module;
import dev.halftone.qat.HealthMonitor;
import dev.halftone.train.RunFolder;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// `health.jsonl` of a run: now and then, the [dev.halftone.qat.LayerHealth] of all layers. After a resume the first
/// line knows no flipped codes and no drift.
final class LayerHealthLog implements AutoCloseable {
    /// Lines in a run, where the configuration does not say how many steps lie between two.
    private static final int LINES = 10;

    private final long every;
    private final HealthMonitor monitor = new HealthMonitor();
    private final @Nullable JsonlMetrics file;

    private LayerHealthLog(long every, @Nullable JsonlMetrics file) {
        this.every = every;
        this.file = file;
    }

    /// @param done steps before this process began
    static LayerHealthLog open(FinetuneConfig config, RunFolder folder, long totalSteps, long done) {
        Integer asked = config.logLayerHealthEveryNSteps();
        if (config.quantizer() == null || (asked != null && asked == 0)) {
            return new LayerHealthLog(Long.MAX_VALUE, null);
        }
        long every = asked == null ? Math.ceilDiv(totalSteps, LINES) : asked;
        return new LayerHealthLog(every, JsonlMetrics.open(folder.health(), done));
    }

    /// Measures, if it is time.
    void log(long step, Module model) {
        if (file != null && (step == 1 || step % every == 0)) {
            Map<String, Double> values = new LinkedHashMap<>();
            monitor.measure(model)
                    .forEach((layer, health) ->
                            health.values().forEach((figure, value) -> values.put(layer + "/" + figure, value)));
            file.log(step, values);
        }
    }

    @Override
    public void close() {
        monitor.close();
        if (file != null) {
            file.close();
        }
    }
}
