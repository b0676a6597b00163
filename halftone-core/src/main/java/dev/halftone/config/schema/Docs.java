package dev.halftone.config.schema;

/// What keys mean that several quantizers have.
final class Docs {
    private Docs() {}

    static final String GROUPSIZE_OR_CHANNEL =
            "how many neighbours along the input share a scale, or `channel` for a whole output row";

    static final String GROUPSIZE = "how many neighbours along the input share a scale";

    static final String CLAMPED_WEIGHTS =
            "gradient of clamped weights: `closed` (torch before 2.14), `open` (since), `identity`";

    static final String LEARNED_SCALES =
            "trains the scales beside the weights: `range_learning` (torchao's) or `lsq`; null chooses them from the weights";

    static final String CLAMPED_WEIGHTS_PASS =
            "gradient of clamped weights: `identity` (passes), `closed` (0), `open` (0 on the bounds too)";

    static final String CLAMPED_VALUES =
            "gradient of clamped values: `identity`, or torchao's with `closed` or `open` clamps";

    static final String CLAMPED_VALUES_STOP =
            "gradient of clamped values: `closed` (torch before 2.14), `open` (since), `identity`";

    static final String CLAMPED_VALUES_PASS =
            "gradient of clamped values: `identity` (passes), `closed` (0), `open` (0 on the bounds too)";

    static final String INT8_ACTIVATIONS =
            "whether inputs of layers in GGUF's blocks are rounded to 8 bits, as llama.cpp does it on a CPU; of an artifact that was trained with such inputs they always are";

    static final String GGUF_TYPE = "block type of the file that the model is to become";

    static final String MX_FORMAT =
            "mxfp4, mxfp6_e2m3, mxfp6_e3m2, mxfp8_e4m3, mxfp8_e5m2 or mxint8, or torch's name of it";

    static final String MX_SCALES =
            "how 32 neighbours choose the power of two that they share: `floor`, `ceil`, `even`, `rceil`";

    static final String MX_NUMERICS =
            "whose arithmetic: `torchao`; `ocp` for mxint8; `compressed_tensors` for mxfp4 with `even`; null says which by the format";

    static final String NVFP4_SCALES = "whether a tensor has a scale beside those of its blocks of 16";

    static final String NVFP4_NUMERICS =
            "whose arithmetic: `torchao`, `modelopt` (what it stores), `modelopt_training` (what it trains with), `compressed_tensors`";
}
