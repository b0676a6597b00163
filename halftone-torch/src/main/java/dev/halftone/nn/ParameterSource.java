package dev.halftone.nn;

/// Where the weights of a model under construction come from: a checkpoint, a quantized artifact, an initialisation.
///
/// A module asks for each weight by its name below the module's own path, and states the shape that its
/// configuration implies, so that every disagreement between a configuration and its weights is found by name,
/// before anything runs:
///
/// ```java
/// Linear q = Linear.of(source.at("self_attn").at("q_proj"), width, heads * headDim, false);
/// ```
public interface ParameterSource {
    /// The parameter `name` below this source's path.
    ///
    /// @param shape what the caller will compute with
    /// @throws dev.halftone.InputException if there is none of that name, or it has another shape
    Parameter parameter(String name, long... shape);

    /// The matrix of a linear layer: a [Parameter], unless the source stores codes and scales.
    ///
    /// @param shape `[N, K]`
    /// @throws dev.halftone.InputException if there is none of that name, or it has another shape
    default Weight weight(String name, long... shape) {
        return parameter(name, shape);
    }

    /// The same source one step further down: names are looked up below `prefix`.
    default ParameterSource at(String prefix) {
        ParameterSource above = this;
        return new ParameterSource() {
            @Override
            public Parameter parameter(String name, long... shape) {
                return above.parameter(prefix + "." + name, shape);
            }

            @Override
            public Weight weight(String name, long... shape) {
                return above.weight(prefix + "." + name, shape);
            }
        };
    }
}
