package dev.halftone.config;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/// Names under which `_component_` chooses this record among those of its sealed interface. Only the last part of the
/// dotted path counts: `torch.optim.AdamW` and `AdamW` are the same.
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.TYPE)
public @interface Component {
    /// The names, the one to use first.
    String[] value();

    /// What it is, for the reference.
    String doc();
}
