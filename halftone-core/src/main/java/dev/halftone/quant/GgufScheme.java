package dev.halftone.quant;

import dev.halftone.DType;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// Weights on a lattice of a GGUF file, under inputs in float, or in the 8-bit blocks that llama.cpp rounds them to.
///
/// @param lattice the block type that the weights of a file have
/// @param int8Activations whether inputs are rounded too: the block type follows from that of the weights
public record GgufScheme(GgufLattice lattice, boolean int8Activations) implements QuantScheme {
    @Override
    public String label() {
        String weights = lattice.name().toLowerCase(Locale.ROOT);
        return int8Activations ? "q8da-" + weights + "w" : weights;
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
        return int8Activations ? new Q8Grid(Q8Grid.Type.of(lattice.blockSize()), dtype) : null;
    }
}
