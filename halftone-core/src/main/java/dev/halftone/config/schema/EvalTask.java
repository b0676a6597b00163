package dev.halftone.config.schema;

/// What a model can be measured by.
public enum EvalTask {
    /// Perplexity of whole documents, by rolling windows.
    PERPLEXITY
}
