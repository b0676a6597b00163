package dev.halftone.format.onnx;

import dev.halftone.DType;
import dev.halftone.quant.CompressedIntGrid;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Int4Grid;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.QuantScheme;
import java.util.Optional;

/// Which schemes a graph of ONNX operators computes exactly.
public final class OnnxSchemes {
    private OnnxSchemes() {}

    /// Why a scheme does not fit; empty where it does.
    public static Optional<String> misfit(QuantScheme scheme) {
        Grid inputs = scheme.activations(DType.F32);
        Grid weights = scheme.weights(DType.F32);
        if (!weights.affine() && !(weights instanceof Int4Grid)) {
            return Optional.of("onnxruntime multiplies by no such codes and scales");
        }
        if (inputs != null && !integers(inputs)) {
            return Optional.of("activations are int8 there, or in float");
        }
        return Optional.empty();
    }

    /// What is taken from a code to give the signed number of steps that is stored: the code itself, but for
    /// tinygemm's, which are unsigned.
    public static int middle(Grid grid) {
        return grid instanceof Int4Grid g ? g.middle() : 0;
    }

    private static boolean integers(Grid inputs) {
        return inputs instanceof IntxGrid || inputs instanceof CompressedIntGrid g && g.symmetric();
    }
}
