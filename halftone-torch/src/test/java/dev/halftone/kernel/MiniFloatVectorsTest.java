package dev.halftone.kernel;

import static dev.halftone.kernel.Tiles.F;
import static dev.halftone.kernel.Tiles.LANES;
import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.quant.MiniFloat;
import java.util.Random;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MiniFloatVectorsTest {
    private static final float[] EDGES = {
        0, -0.0f, Float.MIN_VALUE, Float.MIN_NORMAL, Float.MAX_VALUE, Float.POSITIVE_INFINITY, Float.NaN
    };

    @ParameterizedTest
    @EnumSource
    void vectorsRoundToTheBitsOfTheScalar(MiniFloat format) {
        Random random = new Random(2);
        float[] x = new float[64 * 1024];
        for (int i = 0; i < x.length; i++) {
            float half = (format.decode((byte) i) + format.decode((byte) (i + 1))) / 2;
            x[i] = switch (i % 4) {
                case 0 -> Float.intBitsToFloat(random.nextInt());
                case 1 -> (float) (random.nextGaussian() * format.max() * Math.scalb(1f, -random.nextInt(20)));
                case 2 -> half;
                default -> EDGES[random.nextInt(EDGES.length)] * (random.nextBoolean() ? 1 : -1);
            };
        }
        float[] y = new float[LANES];
        for (int i = 0; i < x.length; i += LANES) {
            MiniFloatVectors.round(FloatVector.fromArray(F, x, i), format).intoArray(y, 0);
            for (int lane = 0; lane < LANES; lane++) {
                float v = x[i + lane];
                assertThat(Float.floatToIntBits(y[lane]))
                        .as("%s of %s", format, v)
                        .isEqualTo(Float.floatToIntBits(format.round(v)));
            }
        }
    }
}
