package dev.halftone.chat.jinja;

import java.util.Map;

/// `namespace(…)`: the one thing that a template can change.
record Namespace(Map<String, Object> attributes) {
    void put(String name, Object value) {
        if (name.startsWith("_")) {
            throw new TemplateException("a namespace has no attributes that start with '_', such as '" + name + "'");
        }
        attributes.put(name, value);
    }

    /// One namespace is never equal to another.
    @Override
    public boolean equals(Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(this);
    }
}
