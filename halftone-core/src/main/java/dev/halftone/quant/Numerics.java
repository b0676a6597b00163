package dev.halftone.quant;

import dev.halftone.InputException;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/// Whose arithmetic a scheme follows: the deployment that its numbers are equal to, bit for bit.
public enum Numerics {
    /// torchao 0.18. In intN: `IntxFakeQuantizer` and `IntxUnpackedToInt8Tensor`, with scales in the dtype of the
    /// input, eps its smallest normal number.
    TORCHAO("torchao"),
    /// torchao's `Int8DynActInt4WeightQATQuantizer`, which torchtune and NeMo Automodel use: scales chosen in
    /// the dtype of the input, then cast to float32, which carries the rest of the arithmetic; eps of
    /// activations 2^-23.
    TORCHAO_LEGACY("torchao-legacy"),
    /// torchao 0.18 to the letter where TORCHAO differs from it on purpose: float8 blocks of zeros are NaN,
    /// gradients are rounded to float8, and int4 weights beside float8 activations are trained otherwise than
    /// they are stored.
    TORCHAO_VERBATIM("torchao-verbatim"),
    /// torchao 0.18's `range_learning`: scales are trained beside the weights, as float32 numbers that start where
    /// TORCHAO would choose them.
    TORCHAO_RANGE_LEARNING("torchao-range-learning"),
    /// Learned step size quantization (Esser et al., 2020): scales are trained, with gradients that are scaled down by
    /// how many weights share them.
    LSQ("lsq"),
    /// llama.cpp's reference quantization of GGUF blocks, as gguf-py 0.19 computes it.
    GGML("ggml"),
    /// The OCP Microscaling Formats specification v1.0, where no library has the format.
    OCP("ocp"),
    /// What ModelOpt 0.47 stores in its files.
    MODELOPT("modelopt"),
    /// What ModelOpt 0.47 computes while it trains, where that differs from what it stores.
    MODELOPT_TRAINING("modelopt-training"),
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

    /// Whether scales are trained beside the weights instead of chosen from them.
    public boolean learnsScales() {
        return this == TORCHAO_RANGE_LEARNING || this == LSQ;
    }

    /// The name in configurations, reports and artifacts.
    public String label() {
        return label;
    }

    /// Reads a label; hyphens and underscores are the same.
    ///
    /// @throws InputException if it is none
    public static Numerics parse(String text) {
        return Arrays.stream(values())
                .filter(n -> n.label.equals(text.toLowerCase(Locale.ROOT).replace('_', '-')))
                .findFirst()
                .orElseThrow(() -> new InputException("numerics: nobody's are called '%s'. Use one of %s."
                        .formatted(
                                text,
                                Arrays.stream(values()).map(Numerics::label).collect(Collectors.joining(", ")))));
    }
}
