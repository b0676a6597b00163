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
    /// torchao 0.18 to the letter where TORCHAO differs from it on purpose: float8 blocks of zeros are NaN,
    /// gradients are rounded to float8, and int4 weights beside float8 activations are trained otherwise than
    /// they are stored.
    TORCHAO_VERBATIM("torchao-verbatim"),
    /// ModelOpt 0.47.
    MODELOPT("modelopt"),
    /// compressed-tensors 0.20, which llm-compressor writes with and vLLM reads.
    COMPRESSED_TENSORS("compressed-tensors");

    private final String label;

    Numerics(String label) {
        this.label = label;
    }

    /// The name in configurations, reports and artifacts.
    public String label() {
        return label;
    }
}
