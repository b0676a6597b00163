package dev.halftone.quant;

import dev.halftone.DType;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// Weights on a lattice of a GGUF file, activations in float: what llama.cpp runs.
///
/// @param lattice the block type that the weights of a file have
public record GgufScheme(GgufLattice lattice) implements QuantScheme {
    @Override
    public String label() {
        return lattice.name().toLowerCase(Locale.ROOT);
    }

    @Override
    public Numerics numerics() {
        return Numerics.GGML;
    }

    @Override
    public Grid weights(DType dtype) {
        return new GgufGrid(lattice, dtype);
    }

    @Override
    public @Nullable Grid activations(DType dtype) {
        return null;
    }
}
