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
    /// What torchao 0.18 stores for int4 weights: codes of FBGEMM's (now MSLK's) `int4_row_quantize_zp`,
    /// with scale and zero rounded to the dtype of the weight.
    FBGEMM("fbgemm"),
    /// What torchao 0.18 computes while it trains int4 weights: the same codes with scale and zero in
    /// float32.
    FBGEMM_TRAINING("fbgemm-training"),
    /// torchao's `Int4WeightOnlyQATQuantizer`, for aten's tinygemm: scale and float zero in bfloat16.
    TINYGEMM("tinygemm"),
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
