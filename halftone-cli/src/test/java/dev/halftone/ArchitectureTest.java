package dev.halftone;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.name;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.core.importer.Location;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.library.Architectures.LayeredArchitecture;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Holds the packages to their directions: arrows point down only.
@AnalyzeClasses(
        packages = "dev.halftone",
        importOptions = {ImportOption.DoNotIncludeTests.class, ArchitectureTest.NoTestJar.class})
class ArchitectureTest {
    /// Once packaged, the test helpers of the core module are a jar beside its own.
    static final class NoTestJar implements ImportOption {
        @Override
        public boolean includes(Location location) {
            return !location.contains("-tests.jar");
        }
    }

    /// The floors, from the top. Packages on one floor may use each other (without a cycle) and every floor below.
    private static final List<List<String>> FLOORS = List.of(
            List.of("cli"),
            List.of("report", "quickstart"),
            List.of("recipe", "conformance"),
            List.of("train"),
            List.of("export", "eval", "generate"),
            List.of("checkpoint"),
            List.of("peft", "qat", "model"),
            List.of("optim", "nn"),
            List.of("kernel"),
            List.of("torch"),
            List.of("config", "data", "metrics", "chat", "tokenizer", "hub", "format", "quant"));

    @ArchTest
    static final ArchRule floorsUseOnlyFloorsBelow = floors();

    @ArchTest
    static final ArchRule noCycles =
            slices().matching("dev.halftone.(*)..").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule quantizationKnowsNoModel = noClasses()
            .that()
            .resideInAPackage("dev.halftone.qat..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("dev.halftone.model..", "dev.halftone.peft..")
            .allowEmptyShould(true);

    @ArchTest
    static final ArchRule modelsKnowNoQuantization = noClasses()
            .that()
            .resideInAPackage("dev.halftone.model..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("dev.halftone.qat..", "dev.halftone.peft..");

    @ArchTest
    static final ArchRule onlyTheBoundaryKnowsJavaCpp = noClasses()
            .that()
            .resideOutsideOfPackages("dev.halftone.torch..", "dev.halftone.kernel..")
            .should()
            .dependOnClassesThat(resideInAPackage("org.bytedeco..")
                    .and(not(nameMatching("(\\[+L)?org\\.bytedeco\\.pytorch\\.Tensor;?")))
                    // The compiler turns Tensor::close into Pointer::close, where that method stands.
                    .and(not(name("org.bytedeco.javacpp.Pointer"))));

    @ArchTest
    static final ArchRule onlyTokenizersKnowDjl = noClasses()
            .that()
            .resideOutsideOfPackage("dev.halftone.tokenizer..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("ai.djl..");

    @ArchTest
    static final ArchRule onlyTheConfigurationReadsYaml = noClasses()
            .that()
            .resideOutsideOfPackage("dev.halftone.config..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("org.snakeyaml..");

    @ArchTest
    static final ArchRule onlyTheCommandLineParsesArguments = noClasses()
            .that()
            .resideOutsideOfPackage("dev.halftone.cli..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("picocli..");

    @ArchTest
    static final ArchRule onlyTheCommandLinePrints = noClasses()
            .that()
            .resideOutsideOfPackage("dev.halftone.cli..")
            .should()
            .accessField(System.class, "out")
            .orShould()
            .accessField(System.class, "err")
            .orShould()
            .callMethod(Throwable.class, "printStackTrace");

    @ArchTest
    static final ArchRule onlyTheCommandLineExits = noClasses()
            .that()
            .resideOutsideOfPackage("dev.halftone.cli..")
            .should()
            .callMethod(System.class, "exit", int.class)
            .orShould()
            .callMethod(Runtime.class, "halt", int.class)
            .orShould()
            .callMethod(Runtime.class, "exit", int.class);

    private static LayeredArchitecture floors() {
        LayeredArchitecture architecture =
                layeredArchitecture().consideringOnlyDependenciesInLayers().withOptionalLayers(true);
        Map<String, String[]> layers = new LinkedHashMap<>();
        for (List<String> floor : FLOORS) {
            layers.put(
                    String.join(", ", floor),
                    floor.stream().map(p -> "dev.halftone." + p + "..").toArray(String[]::new));
        }
        for (Map.Entry<String, String[]> layer : layers.entrySet()) {
            architecture = architecture.layer(layer.getKey()).definedBy(layer.getValue());
        }
        List<String> above = new ArrayList<>();
        for (String layer : layers.keySet()) {
            architecture = above.isEmpty()
                    ? architecture.whereLayer(layer).mayNotBeAccessedByAnyLayer()
                    : architecture.whereLayer(layer).mayOnlyBeAccessedByLayers(above.toArray(String[]::new));
            above.add(layer);
        }
        return architecture;
    }
}
