package dev.halftone.config.schema;

import dev.halftone.InputException;
import dev.halftone.config.Component;
import dev.halftone.config.Key;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.QuantScheme;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/// What is quantized, and to what.
public sealed interface QuantizerConfig permits QuantizerConfig.OneScheme, QuantizerConfig.Composable, QatConfig {
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
    sealed interface OneScheme extends QuantizerConfig
            permits IntxQuantizer,
                    GgufQuantizer,
                    FloatBlockQuantizer,
                    Int4Quantizer,
                    Int8DynamicActivationInt8Weight,
                    W4A16,
                    Float8Quantizer,
                    StaticQuantizer,
                    ModelOptQuantizer {
        /// The numbers that the layers are quantized to.
        QuantScheme scheme();

        /// The layers that get it.
        LayerSelection layers();

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
}
