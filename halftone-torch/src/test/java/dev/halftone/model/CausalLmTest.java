package dev.halftone.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.Json;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.Targets;
import dev.halftone.optim.Gradients;
import dev.halftone.torch.Device;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;

class CausalLmTest {
    private static final Path CURVES = curves();
    private static final int BATCH = 4;
    private static final int SEQ = 16;

    private static Path curves() {
        try {
            return Path.of(CausalLmTest.class.getResource("/golden/curves").toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static CausalLm model(DType dtype) {
        CausalLm model = Models.load(CURVES.resolve("model"), dtype, Device.CPU);
        model.namedParameters().values().forEach(p -> p.setTrainable(true));
        return model;
    }

    /// The first batch of the golden curves, `BATCH` rows of `SEQ`.
    private static int[] first(String name) {
        try (SafetensorsFile batches = SafetensorsFile.open(CURVES.resolve("batches.safetensors"));
                Scope _ = Scope.open()) {
            long[] values = Torch.longs(
                    Torch.of(batches.data(name), DType.I64, batches.info(name).shape()));
            return Arrays.stream(values, 0, BATCH * SEQ)
                    .mapToInt(Math::toIntExact)
                    .toArray();
        }
    }

    private final Tokens tokens = Tokens.of(BATCH, SEQ, first("input_ids"));
    private final Targets targets = Targets.shifted(BATCH, SEQ, first("labels"));

    private static double norm(CausalLm model) {
        return Gradients.norm(model.namedParameters().values());
    }

    @ParameterizedTest
    @CsvSource({"full_f32, F32, 1e-5", "full_bf16, BF16, 1e-2"})
    void lossAndGradientNormAreThoseOfTransformers(String run, DType dtype, double tolerance) {
        JsonNode expected =
                Json.readObject(CURVES.resolve("curves.json")).get("runs").get(run);
        CausalLm model = model(dtype);
        double loss = model.lossAndBackward(tokens, targets, targets.count()) / targets.count();
        assertThat(loss).isCloseTo(expected.get("loss").get(0).doubleValue(), within(tolerance));
        assertThat(norm(model)).isCloseTo(expected.get("grad_norm").get(0).doubleValue(), within(tolerance));
    }

    @Test
    void bfloat16ProductsOverFloat32WeightsStayCloseToFloat32() {
        CausalLm wide = model(DType.F32);
        CausalLm mixed = model(DType.F32);
        mixed.setComputeDtype(DType.BF16);
        double expected = wide.lossAndBackward(tokens, targets, targets.count()) / targets.count();
        double loss = mixed.lossAndBackward(tokens, targets, targets.count()) / targets.count();
        assertThat(loss).isNotEqualTo(expected).isCloseTo(expected, within(1e-2));
        assertThat(norm(mixed)).isCloseTo(norm(wide), within(2e-2));
        mixed.namedParameters().forEach((name, p) -> {
            assertThat(p.dtype()).as(name).isEqualTo(DType.F32);
            assertThat(Torch.dtype(p.gradient())).as(name).isEqualTo(DType.F32);
        });
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            assertThat(Torch.dtype(mixed.hidden(tokens))).isEqualTo(DType.F32);
            assertThat(Torch.dtype(((Linear) mixed.namedModules().get("lm_head")).forward(mixed.hidden(tokens))))
                    .isEqualTo(DType.BF16);
        }
    }

    @Test
    void halvesOfABatchAddUpToTheWhole() {
        CausalLm whole = model(DType.F32);
        CausalLm halves = model(DType.F32);
        double sum = whole.lossAndBackward(tokens, targets, targets.count());
        double parts = 0;
        int half = BATCH / 2 * SEQ;
        for (int start = 0; start < BATCH * SEQ; start += half) {
            int[] labels = Arrays.copyOfRange(first("labels"), start, start + half);
            parts += halves.lossAndBackward(
                    Tokens.of(BATCH / 2, SEQ, Arrays.copyOfRange(tokens.ids(), start, start + half)),
                    Targets.shifted(BATCH / 2, SEQ, labels),
                    targets.count());
        }
        assertThat(parts).isCloseTo(sum, within(1e-4));
        Map<String, Parameter> gradients = whole.namedParameters();
        halves.namedParameters()
                .forEach((name, p) -> assertThat(Torch.floats(p.gradient()))
                        .as(name)
                        .usingComparatorWithPrecision(1e-6f)
                        .containsExactly(Torch.floats(gradients.get(name).gradient())));
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    void packedDocumentsHaveTheLossesThatTheyHaveAlone(DType dtype) {
        CausalLm model = model(dtype);
        int[] row = Arrays.copyOf(tokens.ids(), SEQ);
        int cut = 6;
        int[] positions = new int[SEQ];
        int[] documents = new int[SEQ];
        for (int i = 0; i < SEQ; i++) {
            positions[i] = i < cut ? i : i - cut;
            documents[i] = i < cut ? 0 : 1;
        }
        int[] labels = row.clone();
        labels[cut] = Targets.IGNORED;
        float[] packed = model.losses(new Tokens(1, SEQ, row, positions, documents), Targets.shifted(1, SEQ, labels));
        int[] one = Arrays.copyOf(row, cut);
        int[] two = Arrays.copyOfRange(row, cut, SEQ);
        float[] apart = concat(
                model.losses(Tokens.of(one), Targets.shifted(1, one.length, one)),
                model.losses(Tokens.of(two), Targets.shifted(1, two.length, two)));
        assertThat(packed)
                .usingComparatorWithPrecision(dtype == DType.F32 ? 1e-5f : 5e-2f)
                .containsExactly(apart);
    }

    @Test
    void paddingOnTheRightChangesNothing() {
        CausalLm model = model(DType.F32);
        int[] row = Arrays.copyOf(tokens.ids(), SEQ);
        int[] padded = Arrays.copyOf(row, SEQ + 5);
        int[] labels = Arrays.copyOf(row, SEQ + 5);
        Arrays.fill(labels, SEQ, labels.length, Targets.IGNORED);
        int[] documents = new int[padded.length];
        Arrays.fill(documents, SEQ, documents.length, -1);
        int[] positions = Tokens.of(padded).positions();
        Tokens input = new Tokens(1, padded.length, padded, positions, documents);
        assertThat(input.packed()).isFalse();
        assertThat(model.losses(input, Targets.shifted(1, padded.length, labels)))
                .usingComparatorWithPrecision(1e-5f)
                .containsExactly(model.losses(Tokens.of(row), Targets.shifted(1, SEQ, row)));
    }

    private static float[] concat(float[] a, float[] b) {
        float[] both = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, both, a.length, b.length);
        return both;
    }

    /// A leak shows in each of the stretches of steps, what compilers, the collector and allocators take now and then
    /// in
    /// some.
    @Test
    void nativeMemoryStaysFlatOverManySteps() {
        CausalLm model = model(DType.F32);
        model.setComputeDtype(DType.BF16);
        step(model);
        long pointers = Pointer.totalCount();
        long least = Long.MAX_VALUE;
        for (int stretch = 0; stretch < 5; stretch++) {
            long before = Pointer.physicalBytes();
            for (int i = 0; i < 40; i++) {
                step(model);
            }
            least = Math.min(least, Pointer.physicalBytes() - before);
        }
        assertThat(Pointer.totalCount()).isLessThanOrEqualTo(pointers);
        assertThat(least).isLessThan(32L << 20);
    }

    private void step(CausalLm model) {
        model.lossAndBackward(tokens, targets, targets.count());
        Gradients.clear(model.namedParameters().values());
        model.namedParameters().values().forEach(Parameter::changed);
    }

    @Test
    void aTokenOutsideTheVocabularyIsNamed() {
        CausalLm model = model(DType.F32);
        for (int id : new int[] {-1, 256}) {
            assertThatThrownBy(() -> model.hidden(Tokens.of(3, id)))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("id " + id);
        }
    }
}
