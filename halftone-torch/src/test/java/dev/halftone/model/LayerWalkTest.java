package dev.halftone.model;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.halftone.DType;
import dev.halftone.format.Json;
import dev.halftone.nn.LinearCrossEntropy;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.Targets;
import dev.halftone.nn.WeightTransform;
import dev.halftone.optim.Gradients;
import dev.halftone.peft.Adapters;
import dev.halftone.peft.LoraSettings;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizationPlan;
import dev.halftone.quant.Float8Scheme;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Device;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.function.Supplier;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class LayerWalkTest {
    private static final int LAYERS = 4;
    private static final int BATCH = 2;
    private static final int SEQ = 16;
    private static final int VOCABULARY = 96;
    /// Of the test that weighs memory: activations are megabytes.
    private static final int LONG = 512;

    private static final int WIDE = 128;
    private static final QuantScheme INT4 =
            new IntxScheme(4, new Granularity.PerGroup(32), true, Numerics.TORCHAO_LEGACY);

    private static final QuantScheme FLOAT8 = new Float8Scheme(new Granularity.PerAxis());

    /// What is trained.
    enum Recipe {
        FULL {
            @Override
            void prepare(CausalLm model) {
                all(model);
            }
        },
        QAT {
            @Override
            void prepare(CausalLm model) {
                Qat.prepare(model, QuantizationPlan.of(INT4).with(GradientRule.OPEN));
                all(model);
            }
        },
        QAT_WITH_LEARNED_SCALES {
            @Override
            void prepare(CausalLm model) {
                Qat.prepare(
                        model,
                        QuantizationPlan.of(new IntxScheme(3, new Granularity.PerGroup(32), true, Numerics.LSQ)));
                all(model);
            }
        },
        /// Whose gradients of activations are Java functions.
        QAT_WITH_HOOKS {
            @Override
            void prepare(CausalLm model) {
                Qat.prepare(model, QuantizationPlan.of(FLOAT8));
                all(model);
            }
        },
        LORA_WITH_DROPOUT {
            @Override
            void prepare(CausalLm model) {
                Adapters.attach(
                        model,
                        new LoraSettings(4, 8, false, false, 0.5, LoraSettings.Form.SEPARATE),
                        List.of("*_proj"),
                        1);
            }
        },
        QAT_LORA {
            @Override
            void prepare(CausalLm model) {
                Adapters.attach(
                        model,
                        new LoraSettings(4, 8, false, true, 0, LoraSettings.Form.MERGED),
                        List.of("*_proj", "lm_head"),
                        1);
                Qat.prepare(model, QuantizationPlan.of(INT4).with(GradientRule.OPEN));
            }
        },
        /// No layer below the last is worth going to.
        ADAPTERS_OF_THE_LAST_LAYER {
            @Override
            void prepare(CausalLm model) {
                Adapters.attach(
                        model,
                        new LoraSettings(4, 8, false, false, 0, LoraSettings.Form.SEPARATE),
                        List.of("model.layers.%d.*_proj".formatted(LAYERS - 1)),
                        1);
            }
        };

        abstract void prepare(CausalLm model);

        private static void all(CausalLm model) {
            model.allParameters().values().forEach(p -> p.setTrainable(true));
        }
    }

    private static CausalLm model(DType dtype, boolean tied, int width) {
        return Models.initialise(
                Json.object()
                        .put("model_type", "llama")
                        .put("vocab_size", VOCABULARY)
                        .put("hidden_size", width)
                        .put("intermediate_size", 2 * width)
                        .put("num_hidden_layers", LAYERS)
                        .put("num_attention_heads", 4)
                        .put("num_key_value_heads", 2)
                        .put("rms_norm_eps", 1e-5)
                        .put("rope_theta", 10000)
                        .put("tie_word_embeddings", tied),
                1,
                dtype,
                Device.CPU);
    }

    private static CausalLm model(Recipe recipe, String precision, boolean checkpointing) {
        // A tied head, but where its adapter would be the embedding's too.
        CausalLm model = model(precision.equals("bf16") ? DType.BF16 : DType.F32, recipe != Recipe.QAT_LORA, 64);
        if (precision.equals("mixed")) {
            model.setComputeDtype(DType.BF16);
        }
        recipe.prepare(model);
        model.setActivationCheckpointing(checkpointing);
        return model;
    }

    private static int[] ids(long seed, int n) {
        return new Random(seed).ints(n, 0, VOCABULARY).toArray();
    }

    private interface Pass {
        double lossAndBackward(CausalLm model, Tokens tokens, Targets targets);
    }

    private record Outcome(List<Double> losses, Map<String, float[]> gradients) {}

    /// Two batches whose gradients add up, with the random numbers of one step.
    private static Outcome step(CausalLm model, Pass pass) {
        Torch.setSeed(7);
        List<Double> losses = new ArrayList<>();
        for (int batch = 0; batch < 2; batch++) {
            int[] ids = ids(batch, BATCH * SEQ);
            losses.add(pass.lossAndBackward(model, Tokens.of(BATCH, SEQ, ids), Targets.shifted(BATCH, SEQ, ids)));
        }
        Map<String, float[]> gradients = new LinkedHashMap<>();
        model.allParameters().forEach((name, p) -> {
            Tensor g = p.gradient();
            if (g != null) {
                gradients.put(name, Torch.floats(g));
            }
        });
        return new Outcome(losses, gradients);
    }

    /// One graph from the ids to the loss, as autograd builds it by itself.
    private static double oneGraph(CausalLm model, Tokens tokens, Targets targets) {
        try (Scope _ = Scope.open()) {
            double loss = new LinearCrossEntropy(model.head()).backward(model.hidden(tokens), targets, 10);
            model.allParameters().values().forEach(Parameter::collectGradient);
            return loss;
        }
    }

    @ParameterizedTest
    @EnumSource
    void lossesAndGradientsAreThoseOfOneGraphBitForBit(Recipe recipe) {
        for (String precision : List.of("fp32", "bf16", "mixed")) {
            Outcome expected = step(model(recipe, precision, false), LayerWalkTest::oneGraph);
            assertThat(expected.gradients).isNotEmpty();
            for (boolean checkpointing : new boolean[] {false, true}) {
                Outcome actual =
                        step(model(recipe, precision, checkpointing), (m, t, l) -> m.lossAndBackward(t, l, 10));
                assertThat(actual.losses).as(precision).isEqualTo(expected.losses);
                assertThat(actual.gradients.keySet()).isEqualTo(expected.gradients.keySet());
                expected.gradients.forEach((name, g) -> assertThat(actual.gradients.get(name))
                        .as("%s of %s, checkpointing %s", name, precision, checkpointing)
                        .isEqualTo(g));
            }
        }
    }

    /// So that what an optimizer does with a layer's gradients cannot reach another layer.
    @ParameterizedTest
    @CsvSource({"false", "true"})
    void aLayersGradientsAreCompleteBeforeThoseOfTheLayerBelowExist(boolean checkpointing) {
        CausalLm model = model(Recipe.QAT_LORA, "mixed", checkpointing);
        Set<Parameter> done = new HashSet<>();
        int[] ids = ids(1, BATCH * SEQ);
        int[] calls = {0};
        model.lossAndBackward(Tokens.of(BATCH, SEQ, ids), Targets.shifted(BATCH, SEQ, ids), 10, complete -> {
            done.addAll(complete);
            calls[0]++;
            model.layers()
                    .forEach(layer -> layer.allParameters().forEach((name, p) -> {
                        assertThat(p.value().grad().defined())
                                .as("the gradient of the frozen weight's shadow")
                                .isFalse();
                        assertThat(p.gradient() != null).as(name).isEqualTo(done.contains(p) && p.trainable());
                    }));
        });
        assertThat(calls[0]).isEqualTo(LAYERS + 1);
        assertThat(done).containsAll(model.allParameters().values());
    }

    @Test
    void recomputationTakesTheWeightsOfTheForwardPass() {
        CausalLm model = model(DType.F32, true, 64);
        model.setActivationCheckpointing(true);
        int[] calls = {0};
        Parameter weight = model.namedParameters().get("model.layers.1.mlp.up_proj.weight");
        weight.setTrainable(true);
        weight.setTransform(new WeightTransform() {
            @Override
            public boolean active() {
                return true;
            }

            @Override
            public Tensor forward(Tensor master_NK, boolean trains) {
                calls[0]++;
                return master_NK.clone();
            }

            @Override
            public Tensor backward(Supplier<Tensor> master_NK, Tensor gradient_NK) {
                return gradient_NK;
            }
        });
        step(model, (m, t, l) -> m.lossAndBackward(t, l, 10));
        assertThat(weight.gradient()).isNotNull();
        assertThat(calls[0]).isOne();
    }

    /// A hook, once it has run, is the collector's.
    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "QAT_WITH_HOOKS")
    void nothingOfAPassStaysBehind(Recipe recipe) {
        CausalLm model = model(recipe, "mixed", true);
        long[] pointers = new long[10];
        for (int i = 0; i < pointers.length; i++) {
            step(model, (m, t, l) -> m.lossAndBackward(t, l, 10));
            Gradients.clear(model.allParameters().values());
            pointers[i] = Pointer.totalCount();
        }
        assertThat(pointers[9]).isLessThanOrEqualTo(pointers[5]);
    }

    @Test
    void checkpointingKeepsTheInputsOfLayersOnly() {
        assumeThat(AllocatedBytes.known()).isTrue();
        whileGoingDown(false); // what is built at first use is nobody's activation
        // What earlier tests left behind may be freed meanwhile, which makes a figure smaller.
        long all = Math.max(whileGoingDown(false), Math.max(whileGoingDown(false), whileGoingDown(false)));
        long checkpointed = whileGoingDown(true);
        long input = 4L * BATCH * LONG * WIDE;
        assertThat(all).isGreaterThan((LAYERS - 1) * 4 * input);
        assertThat(checkpointed).isLessThan(all / 3);
    }

    /// Bytes of C's heap that a step holds when the gradients of the last layer are complete, and none of the others.
    private static long whileGoingDown(boolean checkpointing) {
        try (CausalLm model = model(DType.F32, true, WIDE)) {
            model.setActivationCheckpointing(checkpointing);
            model.allParameters().values().forEach(p -> p.setTrainable(true));
            int[] ids = ids(1, BATCH * LONG);
            List<Long> held = new ArrayList<>();
            long before = AllocatedBytes.now();
            model.lossAndBackward(
                    Tokens.of(BATCH, LONG, ids),
                    Targets.shifted(BATCH, LONG, ids),
                    10,
                    _ -> held.add(AllocatedBytes.now() - before));
            return held.getFirst();
        }
    }

    /// What glibc's malloc has given out and not got back. Resident memory would depend on what came before.
    private static final class AllocatedBytes {
        private static final int FIELDS = 10;
        private static final int IN_MAPPINGS = 4;
        private static final int IN_ARENAS = 7;
        private static final Optional<MemorySegment> MALLINFO2 =
                Linker.nativeLinker().defaultLookup().find("mallinfo2");

        static boolean known() {
            return MALLINFO2.isPresent();
        }

        static long now() {
            FunctionDescriptor signature =
                    FunctionDescriptor.of(MemoryLayout.structLayout(MemoryLayout.sequenceLayout(FIELDS, JAVA_LONG)));
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment info = (MemorySegment) Linker.nativeLinker()
                        .downcallHandle(MALLINFO2.orElseThrow(), signature)
                        .invokeExact((SegmentAllocator) arena);
                return info.getAtIndex(JAVA_LONG, IN_MAPPINGS) + info.getAtIndex(JAVA_LONG, IN_ARENAS);
            } catch (Throwable e) {
                throw new AssertionError(e);
            }
        }
    }
}
