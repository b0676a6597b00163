package dev.halftone.config.schema;

import dev.halftone.config.Component;
import dev.halftone.config.Foreign;
import dev.halftone.config.Inline;
import dev.halftone.config.Key;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.QuantScheme;
import java.util.List;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/// Integers of a width to choose, between symmetric bounds.
public sealed interface IntxQuantizer extends QuantizerConfig.OneScheme {
    /// torchao's `Int8DynamicActivationIntxWeightConfig`.
    @Component(
            value = "Int8DynamicActivationIntxWeightConfig",
            doc = "int8 activations, per token and on the fly, and intN weights (8da4w)")
    @Foreign(
            value = "weight_mapping_type",
            why = "weights are quantized symmetrically",
            harmless = {"SYMMETRIC", "symmetric", "MappingType.SYMMETRIC"})
    @Foreign(
            value = "act_mapping_type",
            why = "activations are quantized asymmetrically",
            harmless = {"ASYMMETRIC", "asymmetric", "MappingType.ASYMMETRIC"})
    record Int8DynamicActivationIntxWeight(
            @Key(value = "int2 to int8", otherwise = "int8") IntN weightDtype,

            @Key(
                    value = Docs.GROUPSIZE_OR_CHANNEL,
                    otherwise = "32",
                    also = {"group_size", "granularity", "weight_granularity"})
            Granularity groupsize,

            @Inline LayerSelection layers,

            @Key(value = Docs.CLAMPED_WEIGHTS, otherwise = "closed")
            GradientRule gradientRule,

            @Key(value = Docs.LEARNED_SCALES, otherwise = "null") @Nullable
            LearnedScales learnedScales,

            @Inline MixedWidths widths)
            implements IntxQuantizer {
        public Int8DynamicActivationIntxWeight {
            new IntxScheme(weightDtype.bits(), groupsize, true, LearnedScales.numerics(learnedScales));
        }

        @Override
        public OptionalDouble searchedBits() {
            return widths.averageBits(weightDtype);
        }

        @Override
        public QuantScheme scheme() {
            return new IntxScheme(weightDtype.bits(), groupsize, true, LearnedScales.numerics(learnedScales));
        }
    }

    /// torchao's `IntxWeightOnlyConfig`.
    @Component(value = "IntxWeightOnlyConfig", doc = "intN weights, activations in float")
    @Foreign(
            value = "mapping_type",
            why = "weights are quantized symmetrically",
            harmless = {"SYMMETRIC", "symmetric", "MappingType.SYMMETRIC"})
    record IntxWeightOnly(
            @Key(value = "int2 to int8", otherwise = "int8") IntN weightDtype,

            @Key(
                    value = Docs.GROUPSIZE_OR_CHANNEL,
                    otherwise = "channel",
                    also = {"group_size", "granularity"})
            Granularity groupsize,

            @Inline LayerSelection layers,

            @Key(value = Docs.CLAMPED_WEIGHTS, otherwise = "closed")
            GradientRule gradientRule,

            @Key(value = Docs.LEARNED_SCALES, otherwise = "null") @Nullable
            LearnedScales learnedScales,

            @Inline MixedWidths widths)
            implements IntxQuantizer {
        public IntxWeightOnly {
            new IntxScheme(weightDtype.bits(), groupsize, false, LearnedScales.numerics(learnedScales));
        }

        @Override
        public OptionalDouble searchedBits() {
            return widths.averageBits(weightDtype);
        }

        @Override
        public QuantScheme scheme() {
            return new IntxScheme(weightDtype.bits(), groupsize, false, LearnedScales.numerics(learnedScales));
        }
    }

    /// torchtune's `Int8DynActInt4WeightQATQuantizer` and its counterpart after training.
    @Component(
            value = {"Int8DynActInt4WeightQATQuantizer", "Int8DynActInt4WeightQuantizer"},
            doc = "torchtune's 8da4w: int8 activations and int4 weights, with its float32 scales")
    @Foreign(value = "padding_allowed", why = "a group size must divide a layer's inputs", harmless = "false")
    @Foreign(
            value = {"precision", "scales_precision"},
            why = "scales are float32",
            harmless = {"float32", "fp32", "torch.float32"})
    record Int8DynActInt4Weight(
            @Key(value = Docs.GROUPSIZE, otherwise = "256", also = "group_size")
            Granularity groupsize,

            @Inline LayerSelection layers,

            @Key(value = Docs.CLAMPED_WEIGHTS, otherwise = "closed")
            GradientRule gradientRule)
            implements IntxQuantizer {
        public Int8DynActInt4Weight {
            Check.groups(groupsize);
        }

        @Override
        public QuantScheme scheme() {
            return new IntxScheme(4, groupsize, true, Numerics.TORCHAO_LEGACY);
        }
    }

    /// torchao's `Int4WeightOnlyEmbeddingQATQuantizer`.
    @Component(
            value = {"Int4WeightOnlyEmbeddingQATQuantizer", "Int4WeightOnlyEmbeddingQuantizer"},
            doc = "int4 embedding tables, with float32 scales; a head that is tied to one is quantized with it")
    @Foreign(
            value = {"scale_precision", "zero_point_precision"},
            why = "scales are float32, and zero points are 0",
            harmless = {"float32", "torch.float32", "int32", "torch.int32"})
    record Int4WeightOnlyEmbedding(
            @Key(value = "how many neighbours along the width share a scale", otherwise = "256", also = "group_size")
            Granularity groupsize,

            @Key(value = "paths of embeddings", otherwise = "[model.embed_tokens]")
            List<String> include,

            @Key(value = Docs.CLAMPED_WEIGHTS, otherwise = "closed")
            GradientRule gradientRule)
            implements IntxQuantizer {
        public Int4WeightOnlyEmbedding {
            new LayerSelection(include, List.of());
        }

        @Override
        public LayerSelection layers() {
            return new LayerSelection(include, List.of());
        }

        @Override
        public QuantScheme scheme() {
            return new IntxScheme(4, groupsize, false, Numerics.TORCHAO_LEGACY);
        }
    }
}
