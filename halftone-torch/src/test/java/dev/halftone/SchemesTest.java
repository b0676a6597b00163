package dev.halftone;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.config.Component;
import dev.halftone.config.schema.QuantizerConfig;
import dev.halftone.format.Json;
import dev.halftone.quant.Grid;
import dev.halftone.quant.QuantScheme;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

/// Holds [Schemes] complete: what is added to the sealed families and is not listed there fails here.
class SchemesTest {
    static Stream<Class<?>> families() {
        return Arrays.stream(QuantScheme.class.getPermittedSubclasses());
    }

    /// Numerics, formats, lattices, switches: what a scheme's constructor accepts must be in the list.
    @ParameterizedTest
    @MethodSource("families")
    void everyChoiceThatASchemeAcceptsIsListed(Class<?> family) {
        List<List<@Nullable Object>> listed = Schemes.all()
                .filter(family::isInstance)
                .map(SchemesTest::values)
                .toList();
        assertThat(listed).isNotEmpty();
        RecordComponent[] components = family.getRecordComponents();
        List<Set<@Nullable Object>> choices = new ArrayList<>();
        for (int i = 0; i < components.length; i++) {
            Set<@Nullable Object> of = column(listed, i);
            of.addAll(constants(components[i].getType()));
            choices.add(of);
        }
        List<List<@Nullable Object>> accepted = new ArrayList<>();
        accepted(family, choices, List.of(), accepted);
        for (int i = 0; i < components.length; i++) {
            assertThat(column(listed, i)).as(components[i].toString()).containsAll(column(accepted, i));
        }
    }

    private static Set<@Nullable Object> column(List<List<@Nullable Object>> rows, int i) {
        return rows.stream().map(row -> row.get(i)).collect(Collectors.toCollection(LinkedHashSet::new));
    }

    private static Collection<?> constants(Class<?> type) {
        return type == boolean.class
                ? List.of(true, false)
                : type.isEnum() ? List.of(Objects.requireNonNull(type.getEnumConstants())) : List.of();
    }

    private static List<@Nullable Object> values(QuantScheme scheme) {
        List<@Nullable Object> values = new ArrayList<>();
        for (RecordComponent component : scheme.getClass().getRecordComponents()) {
            try {
                values.add(component.getAccessor().invoke(scheme));
            } catch (ReflectiveOperationException e) {
                throw new AssertionError(e);
            }
        }
        return values;
    }

    /// Adds the combinations of choices that the constructor does not refuse.
    private static void accepted(
            Class<?> family,
            List<Set<@Nullable Object>> choices,
            List<@Nullable Object> chosen,
            List<List<@Nullable Object>> accepted) {
        if (chosen.size() < choices.size()) {
            for (Object choice : choices.get(chosen.size())) {
                List<@Nullable Object> more = new ArrayList<>(chosen);
                more.add(choice);
                accepted(family, choices, more, accepted);
            }
            return;
        }
        try {
            Class<?>[] types = Arrays.stream(family.getRecordComponents())
                    .map(RecordComponent::getType)
                    .toArray(Class<?>[]::new);
            family.getDeclaredConstructor(types).newInstance(chosen.toArray());
            accepted.add(chosen);
        } catch (InvocationTargetException e) {
            assertThat(e.getCause()).isInstanceOf(InputException.class);
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void everyQuantizerOfAConfigurationIsListed() {
        assertThat(Schemes.ROWS.stream().map(Schemes.Row::component).filter(c -> !c.isEmpty()))
                .hasSameElementsAs(quantizers(QuantizerConfig.OneScheme.class)
                        .map(c -> c.value()[0])
                        .toList());
    }

    static Stream<Component> quantizers(Class<?> kind) {
        return kind.isSealed()
                ? Arrays.stream(kind.getPermittedSubclasses()).flatMap(SchemesTest::quantizers)
                : Stream.of(Objects.requireNonNull(kind.getAnnotation(Component.class)));
    }

    @Test
    void everyGridIsThatOfAScheme() {
        Set<Class<?>> grids = Schemes.all()
                .flatMap(s -> Schemes.grids(s, DType.F32).stream())
                .map(Object::getClass)
                .collect(Collectors.toSet());
        assertThat(grids).containsExactlyInAnyOrder(Grid.class.getPermittedSubclasses());
    }

    @Test
    void aRowHasOneNumericsAndTrainsOrDoesNot() {
        for (Schemes.Row row : Schemes.ROWS) {
            assertThat(row.schemes()).allSatisfy(scheme -> {
                assertThat(scheme.numerics()).isEqualTo(row.numerics());
                assertThat(scheme.untrainable() == null).isEqualTo(row.isTrainable());
            });
        }
    }

    /// Those of formats that are only read or packed belong to no scheme.
    @Test
    void everyGoldenCaseBelongsToARow() {
        for (String scheme : goldenSchemes()) {
            boolean layout = scheme.matches("compressed-tensors pack_.*|GGUF .* dequantize only");
            assertThat(Schemes.ROWS.stream().anyMatch(row -> scheme.matches(row.golden())))
                    .as(scheme)
                    .isNotEqualTo(layout);
        }
        assertThat(Schemes.ROWS)
                .filteredOn(row -> !row.golden().isEmpty())
                .allSatisfy(row -> assertThat(goldenSchemes()).anyMatch(s -> s.matches(row.golden())));
    }

    /// What the golden cases are of, a name for each case.
    static List<String> goldenSchemes() {
        JsonNode cases =
                Json.readObject(Golden.path("quant").resolve("index.json")).path("cases");
        return cases.valueStream().map(c -> c.path("scheme").asString()).toList();
    }
}
