package dev.halftone.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.DType;
import dev.halftone.config.schema.LabelCount;
import dev.halftone.data.Batch;
import dev.halftone.data.Sample;
import dev.halftone.format.Json;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Models;
import dev.halftone.nn.Parameter;
import dev.halftone.optim.AdamW;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizationPlan;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.torch.Device;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TrainStepTest {
    private static final int VOCABULARY = 96;
    private static final int SEQ = 16;

    private record Outcome(List<TrainStep.Result> steps, Map<String, float[]> weights) {}

    /// With a head that is tied to the embedding, whose gradient comes from the top and from the bottom, and with
    /// scales that are trained beside the weights.
    @ParameterizedTest
    @ValueSource(strings = {"fp32", "mixed", "bf16", "stochastic"})
    void updatesWithinTheBackwardPassAreThoseAfterIt(String precision) {
        Outcome after = train(precision, false);
        Outcome within = train(precision, true);
        for (int step = 0; step < after.steps.size(); step++) {
            TrainStep.Result expected = after.steps.get(step);
            TrainStep.Result actual = within.steps.get(step);
            assertThat(actual.loss()).isEqualTo(expected.loss());
            assertThat(actual.labels()).isEqualTo(expected.labels());
            assertThat(actual.gradNorm())
                    .isPositive()
                    .isCloseTo(expected.gradNorm(), within(expected.gradNorm() * 1e-6));
        }
        after.weights.forEach(
                (name, values) -> assertThat(within.weights.get(name)).as(name).isEqualTo(values));
    }

    private static Outcome train(String precision, boolean inBackward) {
        boolean wide = precision.equals("fp32") || precision.equals("mixed");
        try (CausalLm model = Models.initialise(
                Json.object()
                        .put("model_type", "llama")
                        .put("vocab_size", VOCABULARY)
                        .put("hidden_size", 64)
                        .put("intermediate_size", 96)
                        .put("num_hidden_layers", 3)
                        .put("num_attention_heads", 4)
                        .put("num_key_value_heads", 2)
                        .put("rms_norm_eps", 1e-5)
                        .put("rope_theta", 10000)
                        .put("tie_word_embeddings", true),
                1,
                wide ? DType.F32 : DType.BF16,
                Device.CPU)) {
            if (precision.equals("mixed")) {
                model.setComputeDtype(DType.BF16);
            }
            Qat.prepare(
                    model, QuantizationPlan.of(new IntxScheme(4, new Granularity.PerGroup(32), true, Numerics.LSQ)));
            Map<String, Parameter> parameters = model.allParameters();
            parameters.values().forEach(p -> p.setTrainable(true));
            AdamW.Settings settings = new AdamW.Settings(0.9, 0.999, 1e-8, 0.01, precision.equals("stochastic"));
            try (AdamW optimizer = new AdamW(parameters, settings, 5)) {
                TrainStep train =
                        new TrainStep(model, optimizer, LabelCount.AFTER_SHIFT, OptionalDouble.empty(), inBackward);
                List<TrainStep.Result> results = new ArrayList<>();
                for (int step = 0; step < 3; step++) {
                    results.add(train.run(List.of(batch(step)), 1e-2));
                }
                Map<String, float[]> weights = new LinkedHashMap<>();
                parameters.forEach((name, p) -> weights.put(name, Torch.floats(p.master())));
                optimizer.state().forEach((name, t) -> weights.put(name, Torch.floats(t)));
                return new Outcome(results, weights);
            }
        }
    }

    private static Batch batch(int step) {
        int[] ids = new Random(step).ints(2 * SEQ, 0, VOCABULARY).toArray();
        int[] positions = new int[ids.length];
        for (int i = 0; i < ids.length; i++) {
            positions[i] = i % SEQ;
        }
        int[] labels = ids.clone();
        labels[3] = Sample.IGNORED;
        return new Batch(2, SEQ, ids, labels, positions, new int[ids.length]);
    }
}
