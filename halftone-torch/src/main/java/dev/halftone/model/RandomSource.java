package dev.halftone.model;

import dev.halftone.DType;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.ParameterSource;
import dev.halftone.torch.Device;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Arrays;
import java.util.SplittableRandom;

/// Fresh parameters, as transformers initialises them: matrices normal around 0, biases 0, norm weights 1.
///
/// Each parameter draws from a SplitMix64 generator ([SplittableRandom]) of its own, seeded by the model's seed and
/// the parameter's name, so that the numbers depend on nothing else.
final class RandomSource implements ParameterSource {
    private final long seed;
    private final double std;
    private final DType dtype;
    private final Device device;

    /// @param std standard deviation of matrices
    RandomSource(long seed, double std, DType dtype, Device device) {
        this.seed = seed;
        this.std = std;
        this.dtype = dtype;
        this.device = device;
    }

    @Override
    public Parameter parameter(String name, long... shape) {
        float[] values = new float[Math.toIntExact(Arrays.stream(shape).reduce(1, Math::multiplyExact))];
        if (shape.length > 1) {
            SplittableRandom random = new SplittableRandom(31 * seed + name.hashCode());
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) (std * random.nextGaussian());
            }
        } else if (!name.endsWith("bias")) {
            Arrays.fill(values, 1);
        }
        try (Scope _ = Scope.open()) {
            return new Parameter(Ops.to(Ops.to(Torch.of(values, shape), dtype), device));
        }
    }
}
