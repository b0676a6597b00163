package dev.halftone.quant;

import static dev.halftone.quant.Rounding.round;

/// The specification of quantization with a scale that is known beforehand, in scalar Java.
///
/// **Whose numerics.** Those of the grid that chose the scale, with that scale for every value: torchao 0.18's
/// `Int8Tensor.from_hp` with `scale` and `zero_point` ([IntxOracle]), compressed-tensors 0.20's `fake_quantize` with
/// a static `input_scale` ([CompressedIntOracle], [AmaxOracle]), ModelOpt's quantizers with a calibrated `_amax`
/// ([AmaxOracle]).
///
/// **Gradient.** That of the grid too: under CLOSED and OPEN what lies beyond the range gets none, for the range does
/// not follow the values. Nothing flows into the scale, which is no parameter.
public record StaticOracle(StaticGrid grid) implements Oracle {
    @Override
    public Codes quantize(float[] x, int columns) {
        byte[] codes = new byte[x.length];
        for (int i = 0; i < x.length; i++) {
            codes[i] = code(x[i]);
        }
        InputScale s = grid.scale();
        float[] zeroPoints = grid.zeroPointDtype() == null ? null : new float[] {s.zeroPoint()};
        return new Codes(codes, new float[] {round(s.scale(), grid.scaleDtype())}, zeroPoints, 1);
    }

    /// The tensor is one block.
    @Override
    public float[] dequantize(Codes codes, int columns) {
        return grid.numbers().oracle().dequantize(codes, codes.codes().length);
    }

    @Override
    public float[] fakeQuantize(float[] x, int columns) {
        float[] y = new float[x.length];
        for (int i = 0; i < y.length; i++) {
            y[i] = fakeQuantize(x[i]);
        }
        return y;
    }

    @Override
    public float[] gradient(float[] x, float[] upstream, int columns, GradientRule rule) {
        float[] gradient = new float[x.length];
        for (int i = 0; i < x.length; i++) {
            gradient[i] = rule == GradientRule.IDENTITY ? upstream[i] : gradient(x[i], upstream[i], rule);
        }
        return gradient;
    }

    private byte code(float x) {
        InputScale s = grid.scale();
        return switch (grid.numbers()) {
            case IntxGrid g -> IntxOracle.code(x, s.block(g), g);
            case CompressedIntGrid g -> CompressedIntOracle.stored(x, s.block(g), g);
            case AmaxGrid g -> g.element().code(AmaxOracle.number(x, s.block(g), g));
            default -> throw unknown();
        };
    }

    private float fakeQuantize(float x) {
        InputScale s = grid.scale();
        return switch (grid.numbers()) {
            case IntxGrid g -> IntxOracle.fakeQuantize(x, s.block(g), g);
            case CompressedIntGrid g -> CompressedIntOracle.fakeQuantize(x, s.block(g), g);
            case AmaxGrid g -> AmaxOracle.fakeQuantize(x, s.block(g), g);
            default -> throw unknown();
        };
    }

    private float gradient(float x, float upstream, GradientRule rule) {
        InputScale s = grid.scale();
        return switch (grid.numbers()) {
            case IntxGrid g -> IntxOracle.gradient(x, upstream, s.block(g), g, rule);
            case CompressedIntGrid g -> CompressedIntOracle.passes(x, s.block(g), g, rule) ? upstream : 0;
            case AmaxGrid g -> AmaxOracle.gradient(x, upstream, s.block(g), g, rule);
            default -> throw unknown();
        };
    }

    private IllegalStateException unknown() {
        return new IllegalStateException("StaticGrid admits no " + grid.numbers());
    }
}
