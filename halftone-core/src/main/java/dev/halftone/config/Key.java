package dev.halftone.config;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/// Documents a record component as a key of the configuration. `batchSize` is written `batch_size`.
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.RECORD_COMPONENT)
public @interface Key {
    /// The default of a key that has none.
    String REQUIRED = "\0";

    /// What it does, for the reference and for messages: a clause in lower case without a full stop.
    String value();

    /// Its default as YAML. `null` needs a component that may be null; `${key}` takes over a key that stands before
    /// it. Null in a file means the default.
    String otherwise() default REQUIRED;

    /// Other places where it may stand, seen from the same block: other names, or paths such as
    /// `tokenizer.max_seq_len`.
    String[] also() default {};
}
