package dev.halftone.kernel;

import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/// AdamW on bfloat16 weights and moments, computed in float32 and rounded stochastically.
///
/// **Formula.** All four tensors are widened exactly; each operation below rounds to float32 once (no fused
/// multiply-add), so the three implementations agree bit for bit on the CPU:
///
///     p' = p · decay                              decay = 1 - lr · weight_decay
///     m' = m + (g - m) · (1 - β1)
///     v' = v · β2 + (g · g) · (1 - β2)
///     p" = p' - rate · (m' / (√v' · root + eps))  root = 1 / √(1 - β2^t), rate = lr / (1 - β1^t)
///
/// **Rounding.** bfloat16 is the upper half of a float32, so adding a uniform 16-bit number to the float's bits
/// and cutting the lower half rounds up with exactly the probability of the fraction lost. p" is rounded so, and
/// v' too: at β2 = 0.999 a step changes v by a thousandth, under half a unit in its last place, and to the
/// nearest it would never decay. m' changes by a tenth and is rounded to the nearest even.
///
/// **Random numbers.** One 32-bit hash of (key, element index), its upper half for p, its lower for v: two rounds
/// of Wellons' `lowbias32` mixer. They depend on seed, step, parameter and element alone, hence not on threads,
/// and a resumed run repeats them. torchao's `bf16_stochastic_round` draws from the global generator instead, and
/// rounds the moments to the nearest.
public final class StochasticAdamW {
    /// Scalars of one step, in float32 as the formula uses them.
    ///
    /// @param decay 1 - lr · weight_decay
    /// @param meanShare 1 - β1
    /// @param squareDecay β2
    /// @param squareShare 1 - β2
    /// @param root 1 / √(1 - β2^t)
    /// @param rate lr / (1 - β1^t)
    public record Coefficients(
            float decay, float meanShare, float squareDecay, float squareShare, float root, float eps, float rate) {}

    private static final ValueLayout.OfShort BF16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    static final int SPREAD = 0x9e3779b9;
    static final int MIX_1 = 0x7feb352d;
    static final int MIX_2 = 0x846ca68b;
    private static final long LOW_32 = 0xffffffffL;

    private StochasticAdamW() {}

    /// The random key of one parameter in one step (SplitMix64 of the three numbers).
    public static long key(long seed, long step, long parameter) {
        return mix64(mix64(mix64(seed) + step) + parameter);
    }

    private static long mix64(long x) {
        long z = x + 0x9e3779b97f4a7c15L;
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }

    /// Updates p, m and v in place. All four are bfloat16 and of one shape.
    public static void update(Tensor p, Tensor g, Tensor m, Tensor v, Coefficients c, long key) {
        Tensor dense = g.contiguous();
        if (Kernels.choose(p).kernels() == Kernels.VECTOR) {
            StochasticAdamWVectors.update(
                    Torch.memory(p), Torch.memory(dense), Torch.memory(m), Torch.memory(v), c, key);
        } else {
            aten(p, dense, m, v, c, key);
        }
    }

    /// The formula as the other two must compute it, for elements `from` to `end - 1`; also the rest that fills no
    /// vector.
    static void scalar(
            MemorySegment p,
            MemorySegment g,
            MemorySegment m,
            MemorySegment v,
            Coefficients c,
            long key,
            long from,
            long end) {
        for (long i = from; i < end; i++) {
            float gradient = widen(g.getAtIndex(BF16, i));
            float mean = widen(m.getAtIndex(BF16, i));
            mean += (gradient - mean) * c.meanShare;
            float square = widen(v.getAtIndex(BF16, i)) * c.squareDecay + gradient * gradient * c.squareShare;
            float weight = widen(p.getAtIndex(BF16, i)) * c.decay;
            weight -= mean / ((float) Math.sqrt(square) * c.root + c.eps) * c.rate;
            int random = mix(mix((int) i * SPREAD + (int) key) ^ (int) (key >>> 32));
            p.setAtIndex(BF16, i, (short) ((Float.floatToRawIntBits(weight) + (random >>> 16)) >>> 16));
            v.setAtIndex(BF16, i, (short) ((Float.floatToRawIntBits(square) + (random & 0xffff)) >>> 16));
            int bits = Float.floatToRawIntBits(mean);
            m.setAtIndex(BF16, i, (short) ((bits + ((bits >>> 16) & 1) + 0x7fff) >>> 16));
        }
    }

    private static float widen(short bf16) {
        return Float.intBitsToFloat(bf16 << 16);
    }

    private static int mix(int value) {
        int x = (value ^ (value >>> 16)) * MIX_1;
        x = (x ^ (x >>> 15)) * MIX_2;
        return x ^ (x >>> 16);
    }

    /// For any device. Unsigned 32-bit arithmetic is done in int64.
    static void aten(Tensor p, Tensor g, Tensor m, Tensor v, Coefficients c, long key) {
        Tensor gradient = g.to(ScalarType.Float);
        Tensor mean = m.to(ScalarType.Float);
        mean.add_(gradient.sub(mean).mul_(scalar(c.meanShare)));
        Tensor square = v.to(ScalarType.Float).mul_(scalar(c.squareDecay));
        square.add_(gradient.mul(gradient).mul_(scalar(c.squareShare)));
        Tensor weight = p.to(ScalarType.Float).mul_(scalar(c.decay));
        Tensor denominator = square.sqrt().mul_(scalar(c.root)).add_(scalar(c.eps));
        weight.sub_(mean.div(denominator).mul_(scalar(c.rate)));
        Tensor index = Ops.arange(p.numel()).to(p.device(), ScalarType.Long).view(Torch.shape(p));
        Tensor random =
                mixed(low32(low32(index.mul_(new Scalar(SPREAD & LOW_32))).add_(new Scalar(key & LOW_32))));
        random = mixed(random.bitwise_xor_(new Scalar(key >>> 32)));
        p.copy_(cut(weight, random.__rshift__(new Scalar(16L))));
        v.copy_(cut(square, random.bitwise_and(new Scalar(0xffffL))));
        m.copy_(mean);
    }

    /// The float whose lower half is cut after `random` was added to its bits: exact in bfloat16.
    private static Tensor cut(Tensor value, Tensor random) {
        Tensor bits = low32(value.view(ScalarType.Int).to(ScalarType.Long));
        Tensor upper = bits.add_(random).bitwise_and_(new Scalar(LOW_32 ^ 0xffffL));
        return upper.to(ScalarType.Int).view(ScalarType.Float);
    }

    private static Tensor mixed(Tensor value) {
        Tensor x = low32(value.bitwise_xor(value.__rshift__(new Scalar(16L))).mul_(new Scalar(MIX_1 & LOW_32)));
        x = low32(x.bitwise_xor(x.__rshift__(new Scalar(15L))).mul_(new Scalar(MIX_2 & LOW_32)));
        return x.bitwise_xor(x.__rshift__(new Scalar(16L)));
    }

    private static Tensor low32(Tensor value) {
        return value.bitwise_and_(new Scalar(LOW_32));
    }

    private static Scalar scalar(float value) {
        return new Scalar((double) value);
    }
}
