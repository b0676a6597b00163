package dev.halftone.config.schema;

/// Which implementation of the quantization kernels computes.
public enum KernelChoice {
    /// Plain Java loops: the specification.
    REFERENCE,
    /// The Vector API over tensor memory, on the CPU.
    VECTOR,
    /// libtorch's operators, on any device.
    ATEN
}
