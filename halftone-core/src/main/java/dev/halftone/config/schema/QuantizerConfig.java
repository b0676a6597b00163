package dev.halftone.config.schema;

import dev.halftone.InputException;
import dev.halftone.config.Component;
import dev.halftone.config.Foreign;
import dev.halftone.config.Key;
import dev.halftone.quant.Calibration;
import dev.halftone.quant.CompressedIntScheme;
import dev.halftone.quant.Float8Int4Scheme;
import dev.halftone.quant.Float8Scheme;
import dev.halftone.quant.GgufLattice;
import dev.halftone.quant.GgufScheme;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Int4Scheme;
import dev.halftone.quant.Int8Scheme;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.ModelOptScheme;
import dev.halftone.quant.MxFormat;
import dev.halftone.quant.MxScaleMode;
import dev.halftone.quant.MxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.Nvfp4Scheme;
import dev.halftone.quant.QuantScheme;
import dev.halftone.quant.StaticActivationScheme;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// What is quantized, and to what.
public sealed interface QuantizerConfig {
    /// The quantizers that it consists of, in order: a layer gets the scheme of the last that means it.
    List<OneScheme> parts();

    /// How the static activations of its layers are calibrated; empty where there are none.
    default Optional<CalibrationConfig> calibrated() {
        return CalibrationConfig.common(parts());
    }

    /// The schemes in short, for a line of progress.
    default String label() {
        return parts().stream().map(part -> part.scheme().label()).distinct().collect(Collectors.joining(" + "));
    }

    /// A quantizer with one scheme for all its layers.
    sealed interface OneScheme extends QuantizerConfig {
        /// The numbers that the layers are quantized to.
        QuantScheme scheme();

        /// Globs over module names: what is quantized, before [#exclude] is taken away.
        List<String> include();

        /// Globs over module names: what is left as it is.
        List<String> exclude();

        /// The gradient of values that quantization clamps.
        GradientRule gradientRule();

        /// The average width, in bits, of weights whose widths are searched for layer by layer; empty where all have
        /// that of [#scheme].
        default OptionalDouble searchedBits() {
            return OptionalDouble.empty();
        }

        @Override
        default Optional<CalibrationConfig> calibrated() {
            return Optional.empty();
        }

        @Override
        default List<OneScheme> parts() {
            return List.of(this);
        }
    }

    /// torchao's `ComposableQATQuantizer`.
    @Component(
            value = "ComposableQATQuantizer",
            doc = "several quantizers for different layers; where two mean the same layer, the later one wins")
    record Composable(@Key("the quantizers, in order") List<QuantizerConfig> quantizers) implements QuantizerConfig {
        public Composable {
            if (quantizers.isEmpty()) {
                throw new InputException("quantizers: the list is empty. Name at least one quantizer.");
            }
            CalibrationConfig.common(
                    quantizers.stream().flatMap(q -> q.parts().stream()).toList());
        }

        @Override
        public List<OneScheme> parts() {
            return quantizers.stream().flatMap(q -> q.parts().stream()).toList();
        }
    }

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
                    value = "how many neighbours along the input share a scale, or `channel` for a whole output row",
                    otherwise = "32",
                    also = {"group_size", "granularity", "weight_granularity"})
            Granularity groupsize,

            @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
            List<String> include,

            @Key(
                    value = "globs over names: what of it stays in float; [] quantizes the head too",
                    otherwise = "[lm_head]")
            List<String> exclude,

            @Key(
                    value = "gradient of clamped weights: `closed` (torch before 2.14), `open` (since), `identity`",
                    otherwise = "closed")
            GradientRule gradientRule,

            @Key(
                    value =
                            "`auto` gives each layer a width of its own, int2 to int8, by how much the loss minds its error; null gives all weight_dtype",
                    otherwise = "null")
            @Nullable
            MixedBits mixedBits,

            @Key(
                    value =
                            "what those widths average, over all weights of the layers; null takes that of weight_dtype",
                    otherwise = "null")
            @Nullable
            Double averageBits)
            implements OneScheme {
        public Int8DynamicActivationIntxWeight {
            requireIncluded(include);
            requireMixed(mixedBits, averageBits);
            new IntxScheme(weightDtype.bits(), groupsize, true, Numerics.TORCHAO);
        }

        @Override
        public OptionalDouble searchedBits() {
            return searched(mixedBits, averageBits, weightDtype);
        }

        @Override
        public QuantScheme scheme() {
            return new IntxScheme(weightDtype.bits(), groupsize, true, Numerics.TORCHAO);
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
                    value = "how many neighbours along the input share a scale, or `channel` for a whole output row",
                    otherwise = "channel",
                    also = {"group_size", "granularity"})
            Granularity groupsize,

            @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
            List<String> include,

            @Key(
                    value = "globs over names: what of it stays in float; [] quantizes the head too",
                    otherwise = "[lm_head]")
            List<String> exclude,

            @Key(
                    value = "gradient of clamped weights: `closed` (torch before 2.14), `open` (since), `identity`",
                    otherwise = "closed")
            GradientRule gradientRule,

            @Key(
                    value =
                            "`auto` gives each layer a width of its own, int2 to int8, by how much the loss minds its error; null gives all weight_dtype",
                    otherwise = "null")
            @Nullable
            MixedBits mixedBits,

            @Key(
                    value =
                            "what those widths average, over all weights of the layers; null takes that of weight_dtype",
                    otherwise = "null")
            @Nullable
            Double averageBits)
            implements OneScheme {
        public IntxWeightOnly {
            requireIncluded(include);
            requireMixed(mixedBits, averageBits);
            new IntxScheme(weightDtype.bits(), groupsize, false, Numerics.TORCHAO);
        }

        @Override
        public OptionalDouble searchedBits() {
            return searched(mixedBits, averageBits, weightDtype);
        }

        @Override
        public QuantScheme scheme() {
            return new IntxScheme(weightDtype.bits(), groupsize, false, Numerics.TORCHAO);
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
            @Key(value = "how many neighbours along the input share a scale", otherwise = "256", also = "group_size")
            Granularity groupsize,

            @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
            List<String> include,

            @Key(
                    value = "globs over names: what of it stays in float; [] quantizes the head too",
                    otherwise = "[lm_head]")
            List<String> exclude,

            @Key(
                    value = "gradient of clamped weights: `closed` (torch before 2.14), `open` (since), `identity`",
                    otherwise = "closed")
            GradientRule gradientRule)
            implements OneScheme {
        public Int8DynActInt4Weight {
            requireIncluded(include);
            requireGroups(groupsize);
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

            @Key(
                    value = "gradient of clamped weights: `closed` (torch before 2.14), `open` (since), `identity`",
                    otherwise = "closed")
            GradientRule gradientRule)
            implements OneScheme {
        public Int4WeightOnlyEmbedding {
            requireIncluded(include);
        }

        @Override
        public List<String> exclude() {
            return List.of();
        }

        @Override
        public QuantScheme scheme() {
            return new IntxScheme(4, groupsize, false, Numerics.TORCHAO_LEGACY);
        }
    }

    /// Weights as llama.cpp stores them.
    @Component(value = "GGUFWeightOnlyConfig", doc = "weights in a block type of GGUF files, activations in float")
    record GgufWeightOnly(
            @Key("block type of the file that the model is to become")
            GgufLattice type,

            @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
            List<String> include,

            @Key(
                    value = "globs over names: what of it stays in float; [] quantizes the head too",
                    otherwise = "[lm_head]")
            List<String> exclude,

            @Key(
                    value =
                            "gradient of clamped weights: `identity` (passes), `closed` (0), `open` (0 on the bounds too)",
                    otherwise = "identity")
            GradientRule gradientRule)
            implements OneScheme {
        public GgufWeightOnly {
            requireIncluded(include);
        }

        @Override
        public QuantScheme scheme() {
            return new GgufScheme(type);
        }
    }

    private static void requireMixed(@Nullable MixedBits mixedBits, @Nullable Double averageBits) {
        if (mixedBits == null && averageBits != null) {
            throw new InputException(
                    "average_bits: the layers have one width, that of weight_dtype. Set mixed_bits=auto, or remove this key.");
        }
        Check.atLeast("average_bits", averageBits, 2);
        Check.atMost("average_bits", averageBits == null ? 2 : averageBits, 8);
    }

    private static OptionalDouble searched(
            @Nullable MixedBits mixedBits, @Nullable Double averageBits, IntN weightDtype) {
        if (mixedBits == null) {
            return OptionalDouble.empty();
        }
        return OptionalDouble.of(averageBits == null ? weightDtype.bits() : averageBits);
    }

    /// torchao's `MXDynamicActivationMXWeightConfig`.
    @Component(
            value = "MXDynamicActivationMXWeightConfig",
            doc = "weights and activations in microscaling (MX) formats, activations on the fly")
    @Foreign(value = "block_size", why = "MX blocks have 32 values", harmless = "32")
    @Foreign(value = "kernel_preference", why = "products run on the values that codes stand for, on any device")
    record MxDynamicActivationMxWeight(
            @Key(
                    value = "mxfp4, mxfp6_e2m3, mxfp6_e3m2, mxfp8_e4m3, mxfp8_e5m2 or mxint8, or torch's name of it",
                    otherwise = "mxfp8_e4m3")
            MxFormat activationDtype,

            @Key(value = "format of the weights, of the same kinds", otherwise = "mxfp8_e4m3")
            MxFormat weightDtype,

            @Key(
                    value =
                            "how 32 neighbours choose the power of two that they share: `floor`, `ceil`, `even`, `rceil`",
                    otherwise = "rceil")
            MxScaleMode scalingMode,

            @Key(
                    value =
                            "whose arithmetic: `torchao`; `ocp` for mxint8; `compressed_tensors` for mxfp4 with `even`; null says which by the format",
                    otherwise = "null")
            @Nullable
            Numerics numerics,

            @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
            List<String> include,

            @Key(
                    value = "globs over names: what of it stays in float; [] quantizes the head too",
                    otherwise = "[lm_head]")
            List<String> exclude)
            implements OneScheme {
        public MxDynamicActivationMxWeight {
            requireIncluded(include);
            numerics = numerics == null ? MxScheme.numerics(weightDtype) : numerics;
            new MxScheme(weightDtype, activationDtype, scalingMode, numerics);
        }

        @Override
        public QuantScheme scheme() {
            return new MxScheme(weightDtype, activationDtype, scalingMode, Objects.requireNonNull(numerics));
        }

        /// No clamp stops it.
        @Override
        public GradientRule gradientRule() {
            return GradientRule.IDENTITY;
        }
    }

    /// MX weights under activations in float, which torchao does not have.
    @Component(value = "MXWeightOnlyConfig", doc = "weights in a microscaling (MX) format, activations in float")
    @Foreign(value = "block_size", why = "MX blocks have 32 values", harmless = "32")
    record MxWeightOnly(
            @Key(
                    value = "mxfp4, mxfp6_e2m3, mxfp6_e3m2, mxfp8_e4m3, mxfp8_e5m2 or mxint8, or torch's name of it",
                    otherwise = "mxfp8_e4m3")
            MxFormat weightDtype,

            @Key(
                    value =
                            "how 32 neighbours choose the power of two that they share: `floor`, `ceil`, `even`, `rceil`",
                    otherwise = "rceil")
            MxScaleMode scalingMode,

            @Key(
                    value =
                            "whose arithmetic: `torchao`; `ocp` for mxint8; `compressed_tensors` for mxfp4 with `even`; null says which by the format",
                    otherwise = "null")
            @Nullable
            Numerics numerics,

            @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
            List<String> include,

            @Key(
                    value = "globs over names: what of it stays in float; [] quantizes the head too",
                    otherwise = "[lm_head]")
            List<String> exclude)
            implements OneScheme {
        public MxWeightOnly {
            requireIncluded(include);
            numerics = numerics == null ? MxScheme.numerics(weightDtype) : numerics;
            new MxScheme(weightDtype, null, scalingMode, numerics);
        }

        @Override
        public QuantScheme scheme() {
            return new MxScheme(weightDtype, null, scalingMode, Objects.requireNonNull(numerics));
        }

        /// No clamp stops it.
        @Override
        public GradientRule gradientRule() {
            return GradientRule.IDENTITY;
        }
    }

    /// torchao's `NVFP4DynamicActivationNVFP4WeightConfig`.
    @Component(
            value = "NVFP4DynamicActivationNVFP4WeightConfig",
            doc = "weights and activations in NVFP4, activations on the fly")
    @Foreign(value = "use_triton_kernel", why = "products run on the values that codes stand for, on any device")
    record Nvfp4DynamicActivationNvfp4Weight(
            @Key(value = "whether a tensor has a scale beside those of its blocks of 16", otherwise = "true")
            boolean useDynamicPerTensorScale,

            @Key(
                    value =
                            "whose arithmetic: `torchao`, `modelopt` (what it stores), `modelopt_training` (what it trains with), `compressed_tensors`",
                    otherwise = "torchao")
            Numerics numerics,

            @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
            List<String> include,

            @Key(
                    value = "globs over names: what of it stays in float; [] quantizes the head too",
                    otherwise = "[lm_head]")
            List<String> exclude)
            implements OneScheme {
        public Nvfp4DynamicActivationNvfp4Weight {
            requireIncluded(include);
            new Nvfp4Scheme(true, useDynamicPerTensorScale, numerics);
        }

        @Override
        public QuantScheme scheme() {
            return new Nvfp4Scheme(true, useDynamicPerTensorScale, numerics);
        }

        /// No clamp stops it.
        @Override
        public GradientRule gradientRule() {
            return GradientRule.IDENTITY;
        }
    }

    /// torchao's `NVFP4WeightOnlyConfig`.
    @Component(value = "NVFP4WeightOnlyConfig", doc = "weights in NVFP4, activations in float")
    record Nvfp4WeightOnly(
            @Key(value = "whether a tensor has a scale beside those of its blocks of 16", otherwise = "true")
            boolean useDynamicPerTensorScale,

            @Key(
                    value =
                            "whose arithmetic: `torchao`, `modelopt` (what it stores), `modelopt_training` (what it trains with), `compressed_tensors`",
                    otherwise = "torchao")
            Numerics numerics,

            @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
            List<String> include,

            @Key(
                    value = "globs over names: what of it stays in float; [] quantizes the head too",
                    otherwise = "[lm_head]")
            List<String> exclude)
            implements OneScheme {
        public Nvfp4WeightOnly {
            requireIncluded(include);
            new Nvfp4Scheme(false, useDynamicPerTensorScale, numerics);
        }

        @Override
        public QuantScheme scheme() {
            return new Nvfp4Scheme(false, useDynamicPerTensorScale, numerics);
        }

        /// No clamp stops it.
        @Override
        public GradientRule gradientRule() {
            return GradientRule.IDENTITY;
        }
    }

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
            @Key(value = "how many neighbours along the input share a scale", otherwise = "128", also = "group_size")
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

            @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
            List<String> include,

            @Key(
                    value = "globs over names: what of it stays in float; [] quantizes the head too",
                    otherwise = "[lm_head]")
            List<String> exclude,

            @Key(
                    value = "gradient of clamped weights: `closed` (torch before 2.14), `open` (since), `identity`",
                    otherwise = "closed")
            GradientRule gradientRule)
            implements OneScheme {
        /// The choices of `numerics`.
        public enum Int4Numbers {
            FBGEMM,
            FBGEMM_TRAINING
        }

        public Int4WeightOnly {
            requireIncluded(include);
            requireGroups(groupsize);
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
            @Key(value = "how many neighbours along the input share a scale", otherwise = "256", also = "group_size")
            Granularity groupsize,

            @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
            List<String> include,

            @Key(
                    value = "globs over names: what of it stays in float; [] quantizes the head too",
                    otherwise = "[lm_head]")
            List<String> exclude,

            @Key(
                    value = "gradient of clamped weights: `closed` (torch before 2.14), `open` (since), `identity`",
                    otherwise = "closed")
            GradientRule gradientRule)
            implements OneScheme {
        public Int4WeightOnlyQat {
            requireIncluded(include);
            requireGroups(groupsize);
        }

        @Override
        public QuantScheme scheme() {
            return new Int4Scheme(groupsize, Numerics.TINYGEMM, false);
        }
    }

    /// torchao's `Int8DynamicActivationInt8WeightConfig`, and compressed-tensors' `W8A8`.
    @Component(
            value = "Int8DynamicActivationInt8WeightConfig",
            doc = "int8 weights per output channel and int8 activations per token, on the fly (W8A8)")
    @Foreign(
            value = "granularity",
            why = "a weight has a scale an output channel, an activation one a token",
            harmless = {"PerRow", "PerRow()"})
    @Foreign(
            value = {"weight_only_decode", "reduce_range"},
            why = "activations are always quantized, to the whole range",
            harmless = "false")
    @Foreign(value = "version", why = "these are the numbers of version 2", harmless = "2")
    @Foreign(value = "set_inductor_config", why = "it changes no number")
    record Int8DynamicActivationInt8Weight(
            @Key(value = "whether activations have a zero point: symmetric or asymmetric", otherwise = "symmetric")
            MappingType actMappingType,

            @Key(
                    value = "`torchao`, with float32 scales; `compressed_tensors`, with scales in the dtype of the"
                            + " weight, which llm-compressor's W8A8 has",
                    otherwise = "torchao")
            Int8Numbers numerics,

            @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
            List<String> include,

            @Key(
                    value = "globs over names: what of it stays in float; [] quantizes the head too",
                    otherwise = "[lm_head]")
            List<String> exclude,

            @Key(
                    value = "gradient of clamped weights: `closed` (torch before 2.14), `open` (since), `identity`",
                    otherwise = "closed")
            GradientRule gradientRule)
            implements OneScheme {
        /// The choices of `numerics`.
        public enum Int8Numbers {
            TORCHAO,
            COMPRESSED_TENSORS
        }

        public Int8DynamicActivationInt8Weight {
            requireIncluded(include);
            if (numerics == Int8Numbers.COMPRESSED_TENSORS && actMappingType == MappingType.ASYMMETRIC) {
                throw new InputException(
                        "act_mapping_type: compressed-tensors' W8A8 has symmetric activations. Use symmetric.");
            }
        }

        @Override
        public QuantScheme scheme() {
            return switch (numerics) {
                case TORCHAO -> new Int8Scheme(actMappingType == MappingType.ASYMMETRIC);
                case COMPRESSED_TENSORS -> CompressedIntScheme.w8a8();
            };
        }
    }

    /// compressed-tensors' presets `W4A16` and `W4A16_ASYM`, as llm-compressor names them.
    @Component(value = "W4A16", doc = "int4 weights with compressed-tensors' arithmetic, activations in float")
    record W4A16(
            @Key(value = "false for W4A16_ASYM, whose groups have zero points", otherwise = "true")
            boolean symmetric,

            @Key(value = "how many neighbours along the input share a scale", otherwise = "128", also = "group_size")
            Granularity groupsize,

            @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
            List<String> include,

            @Key(
                    value = "globs over names: what of it stays in float; [] quantizes the head too",
                    otherwise = "[lm_head]")
            List<String> exclude,

            @Key(
                    value =
                            "gradient of clamped weights: `identity` (passes), `closed` (0), `open` (0 on the bounds too)",
                    otherwise = "identity")
            GradientRule gradientRule)
            implements OneScheme {
        public W4A16 {
            requireIncluded(include);
        }

        @Override
        public QuantScheme scheme() {
            return CompressedIntScheme.w4a16(groupsize, symmetric);
        }
    }

    private static void requireGroups(Granularity groupsize) {
        if (groupsize instanceof Granularity.PerAxis) {
            throw new InputException("groupsize: this quantizer has groups only. Use a number.");
        }
    }

    /// torchao's `Float8DynamicActivationFloat8WeightConfig`, and compressed-tensors' FP8_DYNAMIC.
    @Component(
            value = "Float8DynamicActivationFloat8WeightConfig",
            doc = "weights and activations in float8 (e4m3), activations on the fly")
    @Foreign(
            value = {"activation_dtype", "weight_dtype"},
            why = "both are e4m3",
            harmless = {"float8_e4m3fn", "torch.float8_e4m3fn", "e4m3"})
    @Foreign(
            value = {"mm_config", "kernel_preference", "packing_format", "set_inductor_config", "version"},
            why = "products run on the values that codes stand for, on any device")
    record Float8DynamicActivationFloat8Weight(
            @Key(value = "what shares a scale: `row` (an output channel, a token) or `tensor`", otherwise = "tensor")
            Float8Granularity granularity,

            @Key(value = "the least that the largest magnitude of an activation counts as", otherwise = "null")
            @Nullable
            Double activationValueLb,

            @Key(value = "the most that it counts as", otherwise = "null") @Nullable
            Double activationValueUb,

            @Key(
                    value = "whether gradients flow through scales, under a gradient_rule other than `identity`",
                    otherwise = "false")
            boolean scaleGradient,

            @Key(
                    value =
                            "whose arithmetic: `torchao`, finite for zeros; `torchao_verbatim`, to the letter; `compressed_tensors`",
                    otherwise = "torchao")
            Numerics numerics,

            @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
            List<String> include,

            @Key(
                    value = "globs over names: what of it stays in float; [] quantizes the head too",
                    otherwise = "[lm_head]")
            List<String> exclude,

            @Key(
                    value = "gradient of clamped values: `identity`, or torchao's with `closed` or `open` clamps",
                    otherwise = "identity")
            GradientRule gradientRule)
            implements OneScheme {
        public Float8DynamicActivationFloat8Weight {
            requireIncluded(include);
            scheme(granularity, activationValueLb, activationValueUb, scaleGradient, numerics);
        }

        @Override
        public QuantScheme scheme() {
            return scheme(granularity, activationValueLb, activationValueUb, scaleGradient, numerics);
        }

        private static Float8Scheme scheme(
                Float8Granularity granularity,
                @Nullable Double lowest,
                @Nullable Double highest,
                boolean scaleGradient,
                Numerics numerics) {
            return new Float8Scheme(
                    granularity.blocks(),
                    lowest == null ? 0 : lowest.floatValue(),
                    highest == null ? Float.POSITIVE_INFINITY : highest.floatValue(),
                    scaleGradient,
                    numerics);
        }
    }

    /// torchao's `Float8DynamicActivationInt4WeightConfig`.
    @Component(
            value = "Float8DynamicActivationInt4WeightConfig",
            doc = "float8 (e4m3) activations, per token and on the fly, and int4 weights")
    @Foreign(
            value = {"int4_packing_format", "packing_format"},
            why = "codes are packed when they are stored")
    record Float8DynamicActivationInt4Weight(
            @Key(value = "how many neighbours along the input share a scale", otherwise = "128", also = "group_size")
            Granularity groupsize,

            @Key(
                    value =
                            "whose arithmetic: `torchao`, what it stores; `torchao_verbatim`, what it trains, which is another",
                    otherwise = "torchao")
            Numerics numerics,

            @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
            List<String> include,

            @Key(
                    value = "globs over names: what of it stays in float; [] quantizes the head too",
                    otherwise = "[lm_head]")
            List<String> exclude,

            @Key(
                    value = "gradient of clamped values: `identity`, or torchao's with `closed` or `open` clamps",
                    otherwise = "identity")
            GradientRule gradientRule)
            implements OneScheme {
        public Float8DynamicActivationInt4Weight {
            requireIncluded(include);
            new Float8Int4Scheme(groupsize, numerics);
        }

        @Override
        public QuantScheme scheme() {
            return new Float8Int4Scheme(groupsize, numerics);
        }
    }

    /// ModelOpt's configurations of int8, float8 and int4.
    @Component(value = "ModelOptQuantizer", doc = "a configuration of ModelOpt's `mtq.quantize`, by its name there")
    record ModelOpt(
            @Key("its name; int8_default_cfg and fp8_default_cfg calibrate the inputs, the others take no such keys")
            ModelOptScheme.Config config,

            @Key(
                    value =
                            "how the range of a layer's inputs is found: `minmax`, `percentile` of their magnitudes, or `mse`, the one with the least squared error",
                    otherwise = "minmax")
            Calibration.Method calibration,

            @Key(value = "per cent of the magnitudes that lie in that range, under `percentile`", otherwise = "99.99")
            double calibrationPercentile,

            @Key(value = "batches that the float model is run on to find it, at most", otherwise = "16")
            int calibrationBatches,

            @Key(
                    value =
                            "a text file that those come from, 512 tokens each; null takes the run's dataset, or a text of Halftone's own where there is none",
                    otherwise = "null")
            @Nullable
            Path calibrationText,

            @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
            List<String> include,

            @Key(
                    value = "globs over names: what of it stays in float; [] quantizes the head too",
                    otherwise = "[lm_head]")
            List<String> exclude,

            @Key(
                    value = "gradient of clamped values: `identity`, or ModelOpt's pass_through_bwd=False, `closed`",
                    otherwise = "identity")
            GradientRule gradientRule)
            implements OneScheme {
        public ModelOpt {
            requireIncluded(include);
            CalibrationConfig.of(calibration, calibrationPercentile, calibrationBatches, calibrationText);
            boolean asked = calibration != Calibration.Method.MINMAX || calibrationText != null;
            if (asked && !new ModelOptScheme(config).staticActivations()) {
                throw new InputException(
                        "calibration: %s has no static activations. Remove the keys calibration and calibration_text, or use int8_default_cfg or fp8_default_cfg."
                                .formatted(config.name().toLowerCase(Locale.ROOT)));
            }
        }

        @Override
        public Optional<CalibrationConfig> calibrated() {
            return scheme().staticActivations()
                    ? CalibrationConfig.of(calibration, calibrationPercentile, calibrationBatches, calibrationText)
                    : Optional.empty();
        }

        @Override
        public QuantScheme scheme() {
            return new ModelOptScheme(config);
        }
    }

    /// torchao's `Int8StaticActivationInt8WeightConfig`, and compressed-tensors' static W8A8.
    @Component(
            value = "Int8StaticActivationInt8WeightConfig",
            doc = "int8 weights per output channel and int8 activations with one calibrated scale a tensor")
    @Foreign(
            value = "granularity",
            why = "an activation has one scale, a weight one an output channel",
            harmless = {"[PerTensor, PerRow]", "[PerTensor(), PerRow()]"})
    @Foreign(
            value = {"act_quant_scale", "act_quant_zero_point"},
            why = "calibration finds them",
            harmless = "null")
    @Foreign(value = "reduce_range", why = "the whole range of codes is used", harmless = "false")
    @Foreign(
            value = {"set_inductor_config", "version"},
            why = "it changes no number")
    record Int8StaticActivationInt8Weight(
            @Key(value = "whether activations have a zero point: symmetric or asymmetric", otherwise = "symmetric")
            MappingType actMappingType,

            @Key(
                    value = "`torchao`, with float32 scales; `compressed_tensors`, with scales in the dtype of the"
                            + " weight, which llm-compressor's W8A8 has",
                    otherwise = "torchao")
            Int8DynamicActivationInt8Weight.Int8Numbers numerics,

            @Key(
                    value =
                            "how the range of a layer's inputs is found: `minmax`, `percentile` of their magnitudes, or `mse`, the one with the least squared error",
                    otherwise = "minmax")
            Calibration.Method calibration,

            @Key(value = "per cent of the magnitudes that lie in that range, under `percentile`", otherwise = "99.99")
            double calibrationPercentile,

            @Key(value = "batches that the float model is run on to find it, at most", otherwise = "16")
            int calibrationBatches,

            @Key(
                    value =
                            "a text file that those come from, 512 tokens each; null takes the run's dataset, or a text of Halftone's own where there is none",
                    otherwise = "null")
            @Nullable
            Path calibrationText,

            @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
            List<String> include,

            @Key(
                    value = "globs over names: what of it stays in float; [] quantizes the head too",
                    otherwise = "[lm_head]")
            List<String> exclude,

            @Key(
                    value = "gradient of clamped values: `closed` (torch before 2.14), `open` (since), `identity`",
                    otherwise = "closed")
            GradientRule gradientRule)
            implements OneScheme {
        public Int8StaticActivationInt8Weight {
            new Int8DynamicActivationInt8Weight(actMappingType, numerics, include, exclude, gradientRule);
            CalibrationConfig.of(calibration, calibrationPercentile, calibrationBatches, calibrationText);
        }

        @Override
        public Optional<CalibrationConfig> calibrated() {
            return CalibrationConfig.of(calibration, calibrationPercentile, calibrationBatches, calibrationText);
        }

        @Override
        public QuantScheme scheme() {
            return new StaticActivationScheme(
                    new Int8DynamicActivationInt8Weight(actMappingType, numerics, include, exclude, gradientRule)
                            .scheme());
        }
    }

    /// compressed-tensors' preset `FP8`, as llm-compressor names it.
    @Component(
            value = "FP8",
            doc = "float8 (e4m3) weights and activations with compressed-tensors' arithmetic, one scale a tensor, of"
                    + " activations a calibrated one")
    record Fp8Static(
            @Key(
                    value =
                            "how the range of a layer's inputs is found: `minmax`, `percentile` of their magnitudes, or `mse`, the one with the least squared error",
                    otherwise = "minmax")
            Calibration.Method calibration,

            @Key(value = "per cent of the magnitudes that lie in that range, under `percentile`", otherwise = "99.99")
            double calibrationPercentile,

            @Key(value = "batches that the float model is run on to find it, at most", otherwise = "16")
            int calibrationBatches,

            @Key(
                    value =
                            "a text file that those come from, 512 tokens each; null takes the run's dataset, or a text of Halftone's own where there is none",
                    otherwise = "null")
            @Nullable
            Path calibrationText,

            @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
            List<String> include,

            @Key(
                    value = "globs over names: what of it stays in float; [] quantizes the head too",
                    otherwise = "[lm_head]")
            List<String> exclude,

            @Key(
                    value =
                            "gradient of clamped values: `identity` (passes), `closed` (0), `open` (0 on the bounds too)",
                    otherwise = "identity")
            GradientRule gradientRule)
            implements OneScheme {
        public Fp8Static {
            requireIncluded(include);
            CalibrationConfig.of(calibration, calibrationPercentile, calibrationBatches, calibrationText);
        }

        @Override
        public Optional<CalibrationConfig> calibrated() {
            return CalibrationConfig.of(calibration, calibrationPercentile, calibrationBatches, calibrationText);
        }

        @Override
        public QuantScheme scheme() {
            return new StaticActivationScheme(new Float8Scheme(
                    new Granularity.PerTensor(), 0, Float.POSITIVE_INFINITY, false, Numerics.COMPRESSED_TENSORS));
        }
    }

    private static void requireIncluded(List<String> include) {
        if (include.isEmpty()) {
            throw new InputException(
                    "include: the list is empty, so nothing would be quantized. Use ['*'] for every layer.");
        }
    }
}
