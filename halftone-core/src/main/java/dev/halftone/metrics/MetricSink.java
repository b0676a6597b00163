package dev.halftone.metrics;

import java.util.List;
import java.util.Map;

/// Somewhere that metrics are written to.
public interface MetricSink extends AutoCloseable {
    /// Writes the values of one step. Steps only grow.
    ///
    /// @param step 1 for the first optimizer step
    /// @param values by name, written in the map's order
    void log(long step, Map<String, Double> values);

    @Override
    void close();

    /// A sink that passes everything on to each of `sinks`.
    static MetricSink all(List<MetricSink> sinks) {
        return new MetricSink() {
            @Override
            public void log(long step, Map<String, Double> values) {
                sinks.forEach(s -> s.log(step, values));
            }

            @Override
            public void close() {
                sinks.forEach(MetricSink::close);
            }
        };
    }
}
