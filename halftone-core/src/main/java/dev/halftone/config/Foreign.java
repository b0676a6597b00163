package dev.halftone.config;

import java.lang.annotation.ElementType;
import java.lang.annotation.Repeatable;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/// Keys of torchtune's files that mean nothing to this recipe. They are accepted, and reported, as long as ignoring
/// them changes no result.
///
/// On the sealed interface of a kind of component, the names of components that this version refuses, and what to set
/// instead.
///
/// A key that is null is no key. The annotations are tried in their order, so a special case stands before its block.
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.TYPE)
@Repeatable(Foreign.All.class)
public @interface Foreign {
    /// Paths, seen from the record's own block. A path means the whole block there; its last part may have `*` in it.
    String[] value();

    /// Why it has no effect, for the reference and for messages: a clause in lower case without a full stop.
    String why();

    /// The values that may be ignored, with `*` for any text; other values are refused. Of a `_component_` only the
    /// last part counts.
    String[] harmless() default "*";

    /// The repeated form.
    @Retention(RetentionPolicy.RUNTIME)
    @Target(ElementType.TYPE)
    @interface All {
        Foreign[] value();
    }
}
