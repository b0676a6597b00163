package dev.halftone.nn;

import dev.halftone.DType;
import dev.halftone.kernel.Rotary;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Rotary position embedding (Su et al. 2021): feature pairs of queries and keys are rotated by an angle that grows
/// with the position, so that their products depend on distances only.
///
/// Features `i` and `i + d/2` form a pair, the layout of Hugging Face checkpoints. Angles, cosines and sines are
/// computed in float32 and then rounded to the dtype of the hidden states (transformers 5, `LlamaRotaryEmbedding`).
public final class RotaryEmbedding {
    private final double theta;
    private final RopeScaling scaling;
    private final float[] frequencies;
    private final double magnitude;
    private volatile @Nullable Angles last;

    @SuppressWarnings("ArrayRecordComponent")
    private record Angles(int position, float[] cos, float[] sin) {}

    /// @param theta base of the frequencies
    /// @param dim features of a head, even
    public RotaryEmbedding(double theta, int dim, RopeScaling scaling) {
        this.theta = theta;
        this.scaling = scaling;
        frequencies = scaling.frequencies(theta, dim);
        magnitude = scaling.magnitude();
    }

    /// Base of the frequencies.
    public double theta() {
        return theta;
    }

    /// How they were stretched.
    public RopeScaling scaling() {
        return scaling;
    }

    /// Radians per position of each pair of features.
    public float[] frequencies() {
        return frequencies.clone();
    }

    /// What cosines and sines are multiplied by.
    public double magnitude() {
        return magnitude;
    }

    /// Cosines and sines of one forward pass.
    ///
    /// @param cos_B1SD `[B or 1, 1, S, D]`
    /// @param sin_B1SD same shape
    /// @param rotary what rotates by them
    public record Rotation(Tensor cos_B1SD, Tensor sin_B1SD, Rotary rotary) implements AutoCloseable {
        Rotation(Tensor cos_B1SD, Tensor sin_B1SD) {
            this(cos_B1SD, sin_B1SD, new Rotary(cos_B1SD, sin_B1SD));
        }

        /// @param x_BHSD queries or keys
        /// @return the same, rotated
        public Tensor apply(Tensor x_BHSD) {
            return rotary.apply(x_BHSD.transpose(1, 2)).transpose(1, 2);
        }

        @Override
        public void close() {
            cos_B1SD.close();
            sin_B1SD.close();
        }
    }

    /// @param positions_BS int64, `[B or 1, S]`
    /// @param dtype of the hidden states
    public Rotation at(Tensor positions_BS, DType dtype) {
        Tensor f = Ops.toDeviceOf(Torch.of(frequencies, 1, 1, 1, frequencies.length), positions_BS);
        Tensor angles =
                Ops.to(positions_BS, DType.F32).unsqueeze(1).unsqueeze(3).mul(f);
        Tensor both = Ops.cat(List.of(angles, angles), 3);
        return new Rotation(rounded(both.cos(), dtype), rounded(both.sin(), dtype));
    }

    /// Rotates the heads of rows that stand at one position, in place and in float32.
    ///
    /// @param rows each of whole heads
    public void rotate(int position, float[]... rows) {
        Angles a = angles(position);
        int half = frequencies.length;
        for (float[] x : rows) {
            for (int head = 0; head < x.length; head += 2 * half) {
                for (int i = 0; i < half; i++) {
                    float first = x[head + i];
                    float second = x[head + i + half];
                    x[head + i] = first * a.cos[i] - second * a.sin[i];
                    x[head + i + half] = second * a.cos[i] + first * a.sin[i];
                }
            }
        }
    }

    /// Those of the last position are kept: every layer asks for them.
    private Angles angles(int position) {
        Angles a = last;
        if (a == null || a.position != position) {
            a = new Angles(position, new float[frequencies.length], new float[frequencies.length]);
            for (int i = 0; i < frequencies.length; i++) {
                float angle = position * frequencies[i];
                a.cos[i] = (float) (Math.cos(angle) * magnitude);
                a.sin[i] = (float) (Math.sin(angle) * magnitude);
            }
            last = a;
        }
        return a;
    }

    private Tensor rounded(Tensor t, DType dtype) {
        return Ops.to(magnitude == 1 ? t : Ops.mul(t, magnitude), dtype);
    }
}
