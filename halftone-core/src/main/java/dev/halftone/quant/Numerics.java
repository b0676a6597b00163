package dev.halftone.quant;

/// Whose arithmetic a scheme follows: the deployment that its numbers are equal to, bit for bit.
public enum Numerics {
    /// torchao 0.18, `IntxFakeQuantizer` and `IntxUnpackedToInt8Tensor`: scales in the dtype of the input, eps
    /// its smallest normal number.
    TORCHAO("torchao"),
    /// torchao's `Int8DynActInt4WeightQATQuantizer`, which torchtune and NeMo Automodel use: scales chosen in
    /// the dtype of the input, then cast to float32, which carries the rest of the arithmetic; eps of
    /// activations 2^-23.
    TORCHAO_LEGACY("torchao-legacy"),
    /// llama.cpp's reference quantization of GGUF blocks, as gguf-py 0.19 computes it.
    GGML("ggml");

    private final String label;

    Numerics(String label) {
        this.label = label;
    }

    /// The name in configurations, reports and artifacts.
    public String label() {
        return label;
    }
}
