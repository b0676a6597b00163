package dev.halftone.config.schema;

import dev.halftone.InputException;
import dev.halftone.config.Component;
import dev.halftone.config.Foreign;
import dev.halftone.config.Inline;
import dev.halftone.config.Key;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Int4Scheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.QuantScheme;

/// Int4 weights between minimum and maximum of each group.
public sealed interface Int4Quantizer extends QuantizerConfig.OneScheme {
    /// torchao's `Int4WeightOnlyConfig`.
    @Component(
            value = "Int4WeightOnlyConfig",
            doc = "int4 weights between minimum and maximum of each group, activations in float")
    @Foreign(
            value = "int4_packing_format",
            why = "the numbers are those of the plain and the preshuffled format",
            harmless = {"plain", "preshuffled", "Int4PackingFormat.PLAIN", "Int4PackingFormat.PRESHUFFLED"})
    @Foreign(
            value = "int4_choose_qparams_algorithm",
            why = "scales come from minimum and maximum",
            harmless = {"tinygemm", "Int4ChooseQParamsAlgorithm.TINYGEMM"})
    @Foreign(value = "version", why = "these are the numbers of version 2", harmless = "2")
    @Foreign(
            value = {"set_inductor_config", "int4_tile_packed_ntile"},
            why = "it changes no number")
    record Int4WeightOnly(
            @Key(value = Docs.GROUPSIZE, otherwise = "128", also = "group_size")
            Granularity groupsize,

            @Key(
                    value = "`fbgemm` trains with the scales that torchao ships, in the dtype of the weight;"
                            + " `fbgemm_training` with those that torchao trains with, in float32",
                    otherwise = "fbgemm")
            Int4Numbers numerics,

            @Key(
                    value = "whether the gradient flows through minimum and maximum, as it does in torchao",
                    otherwise = "false")
            boolean scaleGradient,

            @Inline LayerSelection layers,

            @Key(value = Docs.CLAMPED_WEIGHTS, otherwise = "closed")
            GradientRule gradientRule)
            implements Int4Quantizer {
        /// The choices of `numerics`.
        public enum Int4Numbers {
            FBGEMM,
            FBGEMM_TRAINING
        }

        public Int4WeightOnly {
            Check.groups(groupsize);
            if (scaleGradient && gradientRule == GradientRule.IDENTITY) {
                throw new InputException("scale_gradient: under gradient_rule=identity the gradient passes unchanged."
                        + " Use closed or open, or remove it.");
            }
        }

        @Override
        public QuantScheme scheme() {
            return new Int4Scheme(
                    groupsize,
                    switch (numerics) {
                        case FBGEMM -> Numerics.FBGEMM;
                        case FBGEMM_TRAINING -> Numerics.FBGEMM_TRAINING;
                    },
                    scaleGradient);
        }
    }

    /// torchtune's `Int4WeightOnlyQATQuantizer` and its counterpart after training.
    @Component(
            value = {"Int4WeightOnlyQATQuantizer", "Int4WeightOnlyQuantizer"},
            doc = "torchtune's 4w: int4 weights for tinygemm, with bfloat16 scales and zeros")
    @Foreign(value = "padding_allowed", why = "a group size must divide a layer's inputs", harmless = "false")
    @Foreign(value = "inner_k_tiles", why = "it changes no number")
    @Foreign(value = "device", why = "the recipe's device is used")
    @Foreign(
            value = {"precision", "scales_precision"},
            why = "scales are bfloat16",
            harmless = {"bfloat16", "bf16", "torch.bfloat16"})
    record Int4WeightOnlyQat(
            @Key(value = Docs.GROUPSIZE, otherwise = "256", also = "group_size")
            Granularity groupsize,

            @Inline LayerSelection layers,

            @Key(value = Docs.CLAMPED_WEIGHTS, otherwise = "closed")
            GradientRule gradientRule)
            implements Int4Quantizer {
        public Int4WeightOnlyQat {
            Check.groups(groupsize);
        }

        @Override
        public QuantScheme scheme() {
            return new Int4Scheme(groupsize, Numerics.TINYGEMM, false);
        }
    }
}
