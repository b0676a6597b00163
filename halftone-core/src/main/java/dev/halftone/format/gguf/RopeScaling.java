package dev.halftone.format.gguf;

import dev.halftone.InputException;
import dev.halftone.format.Json;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.NullNode;
import tools.jackson.databind.node.ObjectNode;

/// `rope_scaling` of `config.json`, from what a GGUF file says of it.
///
/// Linear and YaRN scaling are in the metadata. Llama 3's is a tensor of the factors by which each frequency is
/// divided, computed by llama.cpp's converter from the parameters that the configuration had; they are found again
/// and checked against all factors.
final class RopeScaling {
    static final String FACTORS = "rope_freqs.weight";

    /// What every Llama 3.1, 3.2 and 3.3 has beside the factor.
    private static final double LOW_FREQ_FACTOR = 1;
    private static final double HIGH_FREQ_FACTOR = 4;
    private static final long ORIGINAL_CONTEXT = 8192;

    private static final double TOLERANCE = 1e-4;

    private RopeScaling() {}

    /// @throws InputException if the file scales its frequencies in a way that the configuration cannot express
    static JsonNode of(GgufFile file, Architecture architecture, double theta, long headDim) {
        GgufMetadata metadata = file.metadata();
        String prefix = architecture.label() + ".rope.scaling.";
        if (file.tensors().containsKey(FACTORS)) {
            return llama3(file, theta, headDim);
        }
        String type = metadata.text(prefix + "type").orElse("none");
        if (type.equals("none")) {
            return NullNode.getInstance();
        }
        ObjectNode scaling = Json.object();
        scaling.put("factor", metadata.real(prefix + "factor").orElseThrow(() -> metadata.missing(prefix + "factor")));
        if (type.equals("yarn")) {
            scaling.put(
                    "original_max_position_embeddings",
                    metadata.whole(prefix + "original_context_length")
                            .orElseThrow(() -> metadata.missing(prefix + "original_context_length")));
        } else if (!type.equals("linear")) {
            throw new InputException("%s: '%stype' is '%s', which cannot be imported. Supported: none, linear, yarn."
                    .formatted(file.path(), prefix, type));
        }
        return scaling.put("rope_type", type);
    }

    private static ObjectNode llama3(GgufFile file, double theta, long headDim) {
        float[] factors = file.dequantize(FACTORS);
        double factor = 1;
        for (float f : factors) {
            factor = Math.max(factor, f);
        }
        boolean found = factors.length == headDim / 2;
        for (int i = 0; found && i < factors.length; i++) {
            double wavelength = 2 * Math.PI * Math.pow(theta, 2.0 * i / headDim);
            double expected = llama3Factor(wavelength, factor);
            found = Math.abs(factors[i] - expected) <= TOLERANCE * expected;
        }
        if (!found) {
            throw new InputException("%s: the factors in '%s' are not Llama 3's. Start from the original checkpoint."
                    .formatted(file.path(), FACTORS));
        }
        return Json.object()
                .put("factor", factor)
                .put("high_freq_factor", HIGH_FREQ_FACTOR)
                .put("low_freq_factor", LOW_FREQ_FACTOR)
                .put("original_max_position_embeddings", ORIGINAL_CONTEXT)
                .put("rope_type", "llama3");
    }

    /// What a frequency is divided by: 1 where its wavelength fits well into the original context, `factor` where
    /// it does not fit, and between the two in between (transformers, `modeling_rope_utils.py`).
    private static double llama3Factor(double wavelength, double factor) {
        double turns = ORIGINAL_CONTEXT / wavelength;
        if (turns > HIGH_FREQ_FACTOR) {
            return 1;
        }
        if (turns < LOW_FREQ_FACTOR) {
            return factor;
        }
        double smooth = (turns - LOW_FREQ_FACTOR) / (HIGH_FREQ_FACTOR - LOW_FREQ_FACTOR);
        return 1 / ((1 - smooth) / factor + smooth);
    }
}
