package dev.halftone.config.schema;

import dev.halftone.config.Component;
import dev.halftone.config.Inline;
import dev.halftone.config.Key;
import dev.halftone.quant.CompressedIntScheme;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.QuantScheme;

/// compressed-tensors' presets `W4A16` and `W4A16_ASYM`, as llm-compressor names them.
@Component(value = "W4A16", doc = "int4 weights with compressed-tensors' arithmetic, activations in float")
public record W4A16(
        @Key(value = "false for W4A16_ASYM, whose groups have zero points", otherwise = "true")
        boolean symmetric,

        @Key(value = Docs.GROUPSIZE, otherwise = "128", also = "group_size")
        Granularity groupsize,

        @Inline LayerSelection layers,

        @Key(value = Docs.CLAMPED_WEIGHTS_PASS, otherwise = "identity")
        GradientRule gradientRule)
        implements QuantizerConfig.OneScheme {
    @Override
    public QuantScheme scheme() {
        return CompressedIntScheme.w4a16(groupsize, symmetric);
    }
}
