package dev.halftone.model;

import dev.halftone.DType;
import dev.halftone.format.Json;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.Targets;
import dev.halftone.torch.Device;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.management.ManagementFactory;
import java.util.Random;
import org.bytedeco.javacpp.Pointer;

/// Times forward and backward of a model of SmolLM2-135M's shape, random weights; `bench/README.md` says how to run
/// it beside its counterpart in Python.
///
/// One thread, and that thread's CPU time: on a machine with other work on it, this is the figure that repeats.
final class TrainingStepBench {
    private TrainingStepBench() {}

    /// @param args precision (`bf16`, `fp32`, or `mixed` for bfloat16 products over float32 weights), tokens,
    ///     repetitions
    public static void main(String[] args) {
        String precision = args[0];
        int length = Integer.parseInt(args[1]);
        int repetitions = Integer.parseInt(args[2]);
        Torch.setThreads(1);
        CausalLm model = model(precision);
        int[] ids = new Random(1).ints(length, 0, model.config().vocabSize()).toArray();
        Tokens tokens = Tokens.of(ids);
        Targets targets = Targets.shifted(1, length, ids);
        for (int i = 0; i < repetitions; i++) {
            double start = cpuSeconds();
            try (Scope _ = Scope.open()) {
                model.hidden(tokens);
            }
            double forward = cpuSeconds();
            double loss = model.lossAndBackward(tokens, targets, targets.count()) / targets.count();
            double end = cpuSeconds();
            model.namedParameters().values().forEach(Parameter::clearGradient);
            System.out.printf(
                    "layers forward %.2f s, step %.2f s, loss %.4f, resident %.2f GB%n",
                    forward - start, end - forward, loss, Pointer.physicalBytes() / 1e9);
        }
    }

    private static CausalLm model(String precision) {
        DType dtype = precision.equals("bf16") ? DType.BF16 : DType.F32;
        CausalLm model = Models.initialise(
                Json.object()
                        .put("model_type", "llama")
                        .put("vocab_size", 49152)
                        .put("hidden_size", 576)
                        .put("intermediate_size", 1536)
                        .put("num_hidden_layers", 30)
                        .put("num_attention_heads", 9)
                        .put("num_key_value_heads", 3)
                        .put("rms_norm_eps", 1e-5)
                        .put("rope_theta", 100000)
                        .put("tie_word_embeddings", true),
                1,
                dtype,
                Device.CPU);
        if (precision.equals("mixed")) {
            model.setComputeDtype(DType.BF16);
        }
        model.namedParameters().values().forEach(p -> p.setTrainable(true));
        return model;
    }

    private static double cpuSeconds() {
        return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() / 1e9;
    }
}
