package dev.halftone.format.onnx;

import dev.halftone.DType;
import dev.halftone.quant.CompressedIntGrid;
import dev.halftone.quant.Grid;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.QuantScheme;
import java.util.Optional;

/// Which schemes a graph of ONNX operators computes exactly.
public final class OnnxSchemes {
    private OnnxSchemes() {}

    /// Why a scheme does not fit; empty where it does.
    public static Optional<String> misfit(QuantScheme scheme) {
        Grid inputs = scheme.activations(DType.F32);
        if (!scheme.weights(DType.F32).affine()) {
            return Optional.of("onnxruntime multiplies by no such codes and scales");
        }
        if (scheme.staticActivations() || !(inputs == null || integers(inputs))) {
            return Optional.of("activations are int8 per token there, or in float");
        }
        return Optional.empty();
    }

    private static boolean integers(Grid inputs) {
        return inputs instanceof IntxGrid || inputs instanceof CompressedIntGrid g && g.symmetric();
    }
}
