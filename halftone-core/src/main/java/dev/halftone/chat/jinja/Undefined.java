package dev.halftone.chat.jinja;

/// What a name or key that is not there gives. It prints as nothing, is false and empty, and any other use of it
/// is an error.
///
/// @param reason what that error says: `'messages' is undefined`
record Undefined(String reason) {
    static Undefined variable(String name) {
        return new Undefined("'" + name + "' is undefined");
    }

    static Undefined attribute(Object target, String name) {
        String owner = target == None.NONE ? "None" : Values.typeName(target) + " object";
        return new Undefined("'" + owner + "' has no attribute " + Values.repr(name));
    }

    static Undefined element(Object target, Object key) {
        if (key instanceof String name) {
            return attribute(target, name);
        }
        String owner = target == None.NONE ? "None" : Values.typeName(target) + " object";
        return new Undefined(owner + " has no element " + Values.repr(key));
    }

    TemplateException use() {
        return new TemplateException(reason);
    }

    /// All of them are equal, as in jinja2.
    @Override
    public boolean equals(Object other) {
        return other instanceof Undefined;
    }

    @Override
    public int hashCode() {
        return Undefined.class.hashCode();
    }
}
