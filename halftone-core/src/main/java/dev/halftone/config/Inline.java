package dev.halftone.config;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/// A record component that is no key: the keys of its own record stand in the block around it, where they are bound,
/// documented and overridden as if they had been declared there. So several records share keys.
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.RECORD_COMPONENT)
public @interface Inline {}
