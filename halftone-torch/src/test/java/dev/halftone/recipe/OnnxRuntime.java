package dev.halftone.recipe;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/// The real onnxruntime with a model that `export` wrote, as its users run it: no option is set.
final class OnnxRuntime implements AutoCloseable {
    private final OrtEnvironment environment;
    private final OrtSession session;
    private final int kvHeads;
    private final int headDim;

    OnnxRuntime(Path folder, int kvHeads, int headDim) {
        try {
            environment = OrtEnvironment.getEnvironment();
            environment.setTelemetry(false);
            session = environment.createSession(folder.resolve("model.onnx").toString());
        } catch (OrtException e) {
            throw new AssertionError(e);
        }
        this.kvHeads = kvHeads;
        this.headDim = headDim;
    }

    /// Keys and values that were read, by the names of the inputs that they go to.
    record Cache(Map<String, float[]> values, int batch, int length) {}

    /// @param logits `[B, S, V]`
    record Step(float[] logits, Cache cache) {}

    /// No token yet.
    Cache empty(int batch) {
        Map<String, float[]> values = new HashMap<>();
        session.getInputNames().stream()
                .filter(name -> name.startsWith("past"))
                .forEach(name -> values.put(name, new float[0]));
        return new Cache(values, batch, 0);
    }

    /// The logits of a text.
    float[] logits(int... ids) {
        return run(empty(1), LongStream.range(0, ids.length).toArray(), ones(ids.length), longs(ids))
                .logits();
    }

    /// The text's continuation, a token at a time.
    int[] greedy(int[] prompt, int n) {
        Step step = run(empty(1), LongStream.range(0, prompt.length).toArray(), ones(prompt.length), longs(prompt));
        int[] answer = new int[n];
        for (int i = 0; i < n; i++) {
            int vocabulary = step.logits.length / (i == 0 ? prompt.length : 1);
            float[] last = Arrays.copyOfRange(step.logits, step.logits.length - vocabulary, step.logits.length);
            answer[i] = IntStream.range(0, vocabulary)
                    .reduce((best, id) -> last[id] > last[best] ? id : best)
                    .orElseThrow();
            int position = prompt.length + i;
            step = run(step.cache, new long[] {position}, ones(position + 1), answer[i]);
        }
        return answer;
    }

    /// @param positions of each new token, text by text
    /// @param mask of all tokens, text by text
    /// @param ids new tokens, text by text
    Step run(Cache cache, long[] positions, long[] mask, long... ids) {
        int batch = cache.batch;
        Map<String, OnnxTensor> inputs = new HashMap<>();
        try {
            inputs.put("input_ids", tensor(ids, batch));
            inputs.put("position_ids", tensor(positions, batch));
            inputs.put("attention_mask", tensor(mask, batch));
            long[] shape = {batch, kvHeads, cache.length, headDim};
            for (var past : cache.values.entrySet()) {
                inputs.put(
                        past.getKey(), OnnxTensor.createTensor(environment, FloatBuffer.wrap(past.getValue()), shape));
            }
            try (OrtSession.Result result = session.run(inputs)) {
                Map<String, float[]> present = new HashMap<>();
                for (var output : result) {
                    if (output.getKey().startsWith("present")) {
                        present.put(output.getKey().replace("present", "past_key_values"), floats(output.getValue()));
                    }
                }
                int length = cache.length + ids.length / batch;
                return new Step(floats(result.get("logits").orElseThrow()), new Cache(present, batch, length));
            }
        } catch (OrtException e) {
            throw new AssertionError(e);
        } finally {
            inputs.values().forEach(OnnxTensor::close);
        }
    }

    private OnnxTensor tensor(long[] values, int batch) throws OrtException {
        return OnnxTensor.createTensor(environment, LongBuffer.wrap(values), new long[] {batch, values.length / batch});
    }

    private static float[] floats(OnnxValue value) {
        FloatBuffer buffer = ((OnnxTensor) value).getFloatBuffer();
        float[] values = new float[buffer.remaining()];
        buffer.get(values);
        return values;
    }

    private static long[] ones(int n) {
        return LongStream.generate(() -> 1).limit(n).toArray();
    }

    private static long[] longs(int... ids) {
        return Arrays.stream(ids).asLongStream().toArray();
    }

    List<String> inputs() {
        return List.copyOf(session.getInputNames());
    }

    @Override
    public void close() {
        try {
            session.close();
        } catch (OrtException e) {
            throw new AssertionError(e);
        }
    }
}
