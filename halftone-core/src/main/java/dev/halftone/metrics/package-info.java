/// What a run measures, step by step, and where it is written.
///
/// A recipe logs to one [dev.halftone.metrics.MetricSink]. [dev.halftone.metrics.JsonlMetrics] writes
/// `metrics.jsonl`, the record that reports and tests read, [dev.halftone.metrics.TensorBoardMetrics] the event
/// files that TensorBoard reads. The keys are torchtune's: [dev.halftone.metrics.MetricKeys].
@NullMarked
package dev.halftone.metrics;

import org.jspecify.annotations.NullMarked;
