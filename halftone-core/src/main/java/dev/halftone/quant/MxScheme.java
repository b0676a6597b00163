package dev.halftone.quant;

import dev.halftone.DType;
import dev.halftone.InputException;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// Weights in a microscaling (MX) format, and inputs in one, in another, or in float.
///
/// @param weights format of the weights
/// @param activations format of the inputs, chosen on the fly; null for float
/// @param mode how blocks choose their power of two
/// @param numerics TORCHAO for float formats, OCP for MXINT8; COMPRESSED_TENSORS for MXFP4 with EVEN
public record MxScheme(MxFormat weights, @Nullable MxFormat activations, MxScaleMode mode, Numerics numerics)
        implements QuantScheme {
    public MxScheme {
        require(weights, "weight_dtype", mode, numerics);
        if (activations != null) {
            require(activations, "activation_dtype", mode, numerics);
        }
    }

    private static void require(MxFormat format, String key, MxScaleMode mode, Numerics numerics) {
        boolean known = switch (numerics) {
            case TORCHAO -> format != MxFormat.MXINT8;
            case OCP -> format == MxFormat.MXINT8;
            case COMPRESSED_TENSORS -> format == MxFormat.MXFP4 && mode == MxScaleMode.EVEN;
            default -> false;
        };
        if (!known) {
            throw new InputException(
                    "%s: there is no %s with %s scales in the numerics of %s. Use torchao's for floats, ocp's for mxint8."
                            .formatted(key, format.label(), mode, numerics.label()));
        }
    }

    /// The scheme in the numerics of its formats: OCP for MXINT8, TORCHAO for all others.
    public static MxScheme of(MxFormat weights, @Nullable MxFormat activations, MxScaleMode mode) {
        return new MxScheme(weights, activations, mode, numerics(weights));
    }

    /// The numerics of a format where nothing else is said.
    public static Numerics numerics(MxFormat format) {
        return format == MxFormat.MXINT8 ? Numerics.OCP : Numerics.TORCHAO;
    }

    @Override
    public Grid weights(DType dtype) {
        return new MxGrid(weights, mode, numerics, dtype);
    }

    @Override
    public @Nullable Grid activations(DType dtype) {
        return activations == null ? null : new MxGrid(activations, mode, numerics, dtype);
    }

    @Override
    public String label() {
        String formats = activations == null
                ? weights.label() + "wo"
                : activations == weights ? weights.label() : activations.label() + "da-" + weights.label() + "w";
        String suffix = numerics == Numerics.COMPRESSED_TENSORS ? "@" + numerics.label() : "";
        return formats + "-" + mode.name().toLowerCase(Locale.ROOT) + suffix;
    }
}
