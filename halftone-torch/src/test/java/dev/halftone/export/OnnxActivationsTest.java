package dev.halftone.export;

import static org.assertj.core.api.Assertions.assertThat;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.halftone.DType;
import dev.halftone.format.onnx.OnnxGraph;
import dev.halftone.format.onnx.OnnxWriter;
import dev.halftone.quant.CompressedIntScheme;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Grid;
import dev.halftone.quant.InputScale;
import dev.halftone.quant.Int8Scheme;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.QuantScheme;
import dev.halftone.quant.StaticActivationScheme;
import dev.halftone.quant.StaticGrid;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class OnnxActivationsTest {
    private static final int COLUMNS = 64;

    @TempDir
    Path dir;

    static Stream<QuantScheme> schemes() {
        Granularity group = new Granularity.PerGroup(32);
        return Stream.of(
                new IntxScheme(4, group, true, Numerics.TORCHAO),
                new IntxScheme(4, group, true, Numerics.TORCHAO_LEGACY),
                new IntxScheme(4, group, true, Numerics.LSQ),
                new Int8Scheme(false),
                new Int8Scheme(true),
                CompressedIntScheme.w8a8(),
                new StaticActivationScheme(new Int8Scheme(false)),
                new StaticActivationScheme(new Int8Scheme(true)),
                new StaticActivationScheme(CompressedIntScheme.w8a8()));
    }

    @ParameterizedTest
    @MethodSource("schemes")
    void onnxruntimeRoundsEachInputAsTheOracleDoes(QuantScheme scheme) throws OrtException {
        Grid numbers = Objects.requireNonNull(scheme.activations(DType.F32));
        InputScale scale = scheme.staticActivations() ? InputScale.of(numbers, -30, 50.5f) : null;
        Grid grid = scale == null ? numbers : new StaticGrid(numbers, scale);
        OnnxGraph graph = new OnnxGraph();
        String x = graph.input("x", DType.F32, "tokens", COLUMNS);
        OnnxActivations activations = new OnnxActivations(graph);
        String y = scale == null
                ? activations.fakeQuantize("layer", numbers, x)
                : activations.fakeQuantize("layer", numbers, scale, x);
        graph.output("y", y, DType.F32, "tokens", COLUMNS);
        float[] values = tokens();
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        environment.setTelemetry(false);
        try (OrtSession session = environment.createSession(written(graph).toString());
                OnnxTensor input = OnnxTensor.createTensor(
                        environment, FloatBuffer.wrap(values), new long[] {values.length / COLUMNS, COLUMNS});
                OrtSession.Result result = session.run(Map.of("x", input))) {
            float[] expected = grid.oracle().fakeQuantize(values, COLUMNS);
            FloatBuffer actual = ((OnnxTensor) result.get(0)).getFloatBuffer();
            for (int i = 0; i < expected.length; i++) {
                assertThat(actual.get(i)).as("%d of %s", i, scheme.label()).isEqualTo(expected[i]);
            }
        }
    }

    private Path written(OnnxGraph graph) {
        OnnxWriter.writeInto(dir, graph, graph.toBytes("test", "0"));
        return dir.resolve(OnnxWriter.MODEL);
    }

    /// Of many magnitudes, of one sign, all zeros, all alike, and on the very edges of rounding steps.
    private static float[] tokens() {
        Random random = new Random(3);
        float[] values = new float[400 * COLUMNS];
        for (int i = 0; i < values.length; i++) {
            int token = i / COLUMNS;
            float x = (float) (random.nextGaussian() * Math.pow(10, token % 80 - 40));
            values[i] = switch (token % 5) {
                case 0 -> x;
                case 1 -> Math.abs(x);
                case 2 -> token % 2 == 0 ? 0 : x;
                case 3 -> random.nextInt(256) - 127.5f;
                default -> token;
            };
        }
        return values;
    }
}
