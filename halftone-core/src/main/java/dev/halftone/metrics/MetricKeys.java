package dev.halftone.metrics;

/// The names of the metrics, as torchtune logs them, so that its users' plots and scripts go on working.
public final class MetricKeys {
    /// Negative log-likelihood a label, in nats, over the whole accumulated batch, before the step's update.
    public static final String LOSS = "loss";

    /// Learning rate that the step's update used.
    public static final String LR = "lr";

    /// Labels trained on a second, over the whole step.
    public static final String TOKENS_PER_SECOND = "tokens_per_second_per_gpu";

    /// Global L2 norm of the gradients, before clipping.
    public static final String GRAD_NORM = "grad_norm";

    /// The loss on the validation data, measured after the step.
    public static final String VALIDATION_LOSS = "val_loss";

    /// Highest resident memory of the process so far, in GiB.
    public static final String PEAK_MEMORY = "peak_memory_active";

    /// Share of the layers with a scheme whose fake quantization is on, 0 to 1.
    public static final String FAKE_QUANT_SHARE = "fake_quant_share";

    private MetricKeys() {}
}
