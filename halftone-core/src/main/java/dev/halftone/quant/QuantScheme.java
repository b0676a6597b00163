package dev.halftone.quant;

/// What a layer is quantized to. A closed family: the compiler names every place that a new scheme has to fill.
public sealed interface QuantScheme permits IntxScheme {
    /// Short name for tables and logs, such as `8da4w-g32`.
    String label();
}
