package dev.halftone;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// A test that runs for every scheme of [Schemes]; COVERAGE.md then names its class.
@ParameterizedTest
@MethodSource("dev.halftone.Schemes#all")
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.METHOD)
public @interface AllSchemes {
    /// A test that runs for every scheme that can be trained.
    @ParameterizedTest
    @MethodSource("dev.halftone.Schemes#trainable")
    @Retention(RetentionPolicy.RUNTIME)
    @Target(ElementType.METHOD)
    @interface Trainable {}
}
