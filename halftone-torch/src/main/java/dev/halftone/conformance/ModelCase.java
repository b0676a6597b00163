package dev.halftone.conformance;

import dev.halftone.conformance.CaseResult.Status;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.format.safetensors.TensorInfo;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.nn.AttentionContext;
import dev.halftone.nn.KvCache;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.Targets;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;

/// One golden model in float32. `io.safetensors` holds
///
/// ```text
/// input_ids, labels   [B, S] int64, labels not shifted, -100 does not count
/// logits              [B, S, V]                    within 2e-5
/// loss                mean over the labels         within 1e-5
/// hidden_states.<i>   [S, D] of sequence 0, 0 the embeddings, then after each layer, the last after the final norm
///                                                  within 2e-5 of the largest value, at least of 1
/// grad.<parameter>    gradient of the loss         within 1e-4 of its largest value
/// greedy              [n] int64, what greedy decoding appends to sequence 0: the same, with and without a cache
/// ```
final class ModelCase {
    private static final String GRADIENT = "grad.";
    private static final double LOGITS = 2e-5;
    private static final double LOSS = 1e-5;
    private static final double GRADIENTS = 1e-4;

    private final String name;
    private final CausalLm model;
    private final Path file;
    private final List<String> compared = new ArrayList<>();
    private final List<String> differences = new ArrayList<>();
    private double logitsError;

    ModelCase(String name, CausalLm model, Path file) {
        this.name = name;
        this.model = model;
        this.file = file;
    }

    CaseResult run() {
        try (SafetensorsFile expected = SafetensorsFile.open(file);
                Scope _ = Scope.open()) {
            long[] shape = expected.info("input_ids").shape();
            int[] ids = ints(expected, "input_ids");
            Tokens tokens = Tokens.of(Math.toIntExact(shape[0]), Math.toIntExact(shape[1]), ids);
            forward(expected, tokens);
            gradients(expected, tokens);
            greedy(ints(expected, "greedy"), Arrays.copyOf(ids, tokens.seqLen()));
        }
        return differences.isEmpty()
                ? new CaseResult(name, Status.PASSED, String.join(", ", compared), logitsError)
                : new CaseResult(name, Status.DIFFERS, String.join("; ", differences), logitsError);
    }

    private void forward(SafetensorsFile expected, Tokens tokens) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open();
                AttentionContext context = model.context(tokens, null)) {
            double error = 0;
            Tensor x_BSD = model.embed(tokens);
            for (int i = 0; i < model.layers().size(); i++) {
                error = Math.max(error, hiddenError(expected, i, x_BSD));
                x_BSD = model.layers().get(i).forward(x_BSD, context);
            }
            Tensor hidden_BSD = model.hidden(tokens);
            error = Math.max(error, hiddenError(expected, model.layers().size(), hidden_BSD));
            judge("hidden states", error, LOGITS);
            logitsError = largest(difference(floats(expected, "logits"), model.logits(hidden_BSD)));
            judge("logits", logitsError, LOGITS);
        }
    }

    private double hiddenError(SafetensorsFile expected, int index, Tensor x_BSD) {
        float[] values = floats(expected, "hidden_states." + index);
        return largest(difference(values, x_BSD.select(0, 0))) / Math.max(1, largest(values));
    }

    private void gradients(SafetensorsFile expected, Tokens tokens) {
        Map<String, Parameter> parameters = model.namedParameters();
        parameters.values().forEach(p -> p.setTrainable(true));
        Targets targets = Targets.shifted(tokens.batchSize(), tokens.seqLen(), ints(expected, "labels"));
        double loss = model.lossAndBackward(tokens, targets, targets.count()) / targets.count();
        judge("loss", Math.abs(loss - floats(expected, "loss")[0]), LOSS);
        double error = 0;
        for (String tensor : expected.tensors().keySet()) {
            if (tensor.startsWith(GRADIENT)) {
                Parameter p = Objects.requireNonNull(parameters.get(tensor.substring(GRADIENT.length())), tensor);
                float[] values = floats(expected, tensor);
                Tensor gradient = Objects.requireNonNull(p.gradient(), tensor);
                error = Math.max(error, largest(difference(values, gradient)) / largest(values));
            }
        }
        judge("gradients", error, GRADIENTS);
    }

    private void greedy(int[] expected, int[] prompt) {
        judge("greedy", expected, appended(prompt, expected.length, false));
        judge("greedy with a cache", expected, appended(prompt, expected.length, true));
    }

    private int[] appended(int[] prompt, int n, boolean cached) {
        int[] ids = Arrays.copyOf(prompt, prompt.length + n);
        try (KvCache cache = new KvCache(ids.length)) {
            for (int end = prompt.length; end < ids.length; end++) {
                try (Scope _ = Scope.open();
                        NoGrad _ = NoGrad.open()) {
                    int start = cache.length();
                    Tokens next = Tokens.following(start, Arrays.copyOfRange(ids, start, end));
                    Tensor hidden_BSD = model.hidden(next, cached ? cache : null);
                    Tensor last_BSV = model.logits(hidden_BSD.narrow(1, next.seqLen() - 1L, 1));
                    ids[end] = Math.toIntExact(Torch.longs(Ops.argmax(last_BSV, 2))[0]);
                }
            }
        }
        return Arrays.copyOfRange(ids, prompt.length, ids.length);
    }

    private void judge(String what, double error, double tolerance) {
        String detail = "%s %.1e (tolerance %.0e)".formatted(what, error, tolerance);
        // Also false for NaN.
        (error <= tolerance ? compared : differences).add(detail);
    }

    private void judge(String what, int[] expected, int[] actual) {
        if (Arrays.equals(expected, actual)) {
            compared.add(what);
        } else {
            differences.add("%s %s instead of %s".formatted(what, Arrays.toString(actual), Arrays.toString(expected)));
        }
    }

    private static float[] difference(float[] expected, Tensor actual) {
        float[] d = Torch.floats(actual);
        if (d.length != expected.length) {
            throw new IllegalArgumentException(d.length + " values instead of " + expected.length);
        }
        for (int i = 0; i < d.length; i++) {
            d[i] -= expected[i];
        }
        return d;
    }

    private static double largest(float[] values) {
        double largest = 0;
        for (float v : values) {
            largest = Math.max(largest, Math.abs(v));
        }
        return largest;
    }

    private float[] floats(SafetensorsFile expected, String tensor) {
        try (Scope _ = Scope.open()) {
            TensorInfo info = expected.info(tensor);
            return Torch.floats(Torch.of(expected.data(tensor), info.dtype(), info.shape()));
        }
    }

    private int[] ints(SafetensorsFile expected, String tensor) {
        try (Scope _ = Scope.open()) {
            TensorInfo info = expected.info(tensor);
            long[] values = Torch.longs(Torch.of(expected.data(tensor), info.dtype(), info.shape()));
            return Arrays.stream(values).mapToInt(Math::toIntExact).toArray();
        }
    }
}
