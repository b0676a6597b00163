package dev.halftone.qat;

import dev.halftone.DType;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Module;
import dev.halftone.nn.Parameter;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;

/// A gated layer like those of language models, and a head.
final class TinyMlp extends Module {
    final Linear gate;
    final Linear up;
    final Linear down;
    final Linear head;

    private final DType dtype;
    private final int width;

    TinyMlp(DType dtype) {
        this(dtype, 32);
    }

    /// @param unit 2 of them are inputs, 3 are between the layers
    TinyMlp(DType dtype, int unit) {
        this.dtype = dtype;
        width = 2 * unit;
        int hidden = 3 * unit;
        Random random = new Random(7);
        gate = child("layers.0.gate", linear(random, hidden, width, dtype));
        up = child("layers.0.up", linear(random, hidden, width, dtype));
        down = child("layers.0.down", linear(random, width, hidden, dtype));
        head = child("head", linear(random, 10, width, dtype));
    }

    Tensor forward(Tensor x) {
        Tensor[] gateUp = Linear.forwardAll(x, gate, up);
        return head.forward(down.forward(Ops.silu(gateUp[0]).mul(gateUp[1])));
    }

    /// Two rows of tokens.
    Tensor input(int tokens) {
        return random(new Random(11), dtype, 2, tokens, width);
    }

    private static Linear linear(Random random, int n, int k, DType dtype) {
        Parameter weight = new Parameter(random(random, dtype, n, k));
        weight.setTrainable(true);
        return new Linear(weight, new Parameter(random(random, dtype, n)));
    }

    private static Tensor random(Random random, DType dtype, long... shape) {
        int n = 1;
        for (long size : shape) {
            n *= (int) size;
        }
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian() * 0.3f;
        }
        return Ops.to(Torch.of(values, shape), dtype);
    }
}
