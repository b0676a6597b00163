package dev.halftone.quant;

/// The block types of GGUF files that weights are quantized to here. [GgufOracle] has their arithmetic.
///
/// Types whose scale is searched for (Q2_K to Q6_K, IQ4_NL, IQ4_XS, and with an importance matrix the others too)
/// are not among them: docs/explanation/gguf-lattices.md says why.
public enum GgufLattice {
    /// 4 bits, the code -8 for the weight of the largest magnitude.
    Q4_0(Rule.EXTREME, 32, 4),
    /// 4 bits from the smallest weight to the largest.
    Q4_1(Rule.RANGE, 32, 4),
    /// 5 bits, the code -16 for the weight of the largest magnitude.
    Q5_0(Rule.EXTREME, 32, 5),
    /// 5 bits from the smallest weight to the largest.
    Q5_1(Rule.RANGE, 32, 5),
    /// 8 bits, symmetric.
    Q8_0(Rule.MAGNITUDE, 32, 8),
    /// -1, 0 and 1, five to a byte.
    TQ1_0(Rule.MAGNITUDE, 256, 2),
    /// -1, 0 and 1, four to a byte.
    TQ2_0(Rule.MAGNITUDE, 256, 2),
    /// 4-bit floats (e2m1) under a power of two.
    MXFP4(Rule.E2M1, 32, 4);

    /// How the scale of a block is chosen, and a weight brought to a code.
    public enum Rule {
        /// The weight of the largest magnitude lies on the smallest code, whatever its sign.
        EXTREME,
        /// Smallest and largest weight lie on the smallest and the largest code.
        RANGE,
        /// The largest magnitude lies on the largest code.
        MAGNITUDE,
        /// The largest magnitude lies in the highest octave of a 4-bit float.
        E2M1
    }

    private final Rule rule;
    private final int blockSize;
    private final int codeBits;

    GgufLattice(Rule rule, int blockSize, int codeBits) {
        this.rule = rule;
        this.blockSize = blockSize;
        this.codeBits = codeBits;
    }

    public Rule rule() {
        return rule;
    }

    /// Weights that share a scale.
    public int blockSize() {
        return blockSize;
    }

    /// Bits of a code before it is packed: 2 where a file has three codes.
    public int codeBits() {
        return codeBits;
    }

    /// Smallest code.
    public int qmin() {
        return switch (rule) {
            case EXTREME -> -(1 << (codeBits - 1));
            case RANGE, E2M1 -> 0;
            case MAGNITUDE -> -qmax();
        };
    }

    /// Largest code.
    public int qmax() {
        return switch (rule) {
            case EXTREME, MAGNITUDE -> (1 << (codeBits - 1)) - 1;
            case RANGE, E2M1 -> (1 << codeBits) - 1;
        };
    }

    /// Whether a block has a minimum that is added to its values.
    public boolean hasMinimum() {
        return rule == Rule.RANGE;
    }
}
