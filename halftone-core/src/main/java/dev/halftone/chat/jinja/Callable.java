package dev.halftone.chat.jinja;

import java.util.List;
import java.util.Map;

/// A macro, a global function or a method bound to its value.
@FunctionalInterface
interface Callable {
    Object call(Args args);

    /// The values of a call's arguments.
    record Args(List<Object> positional, Map<String, Object> named) {
        int size() {
            return positional.size();
        }

        Object get(int index, String name, Object fallback) {
            return index < positional.size() ? positional.get(index) : named.getOrDefault(name, fallback);
        }

        Object get(int index, String name) {
            Object value = get(index, name, Missing.MISSING);
            if (value == Missing.MISSING) {
                throw new TemplateException("the argument '" + name + "' is missing");
            }
            return value;
        }

        String string(int index, String name) {
            return Values.string(get(index, name));
        }

        boolean flag(int index, String name, boolean fallback) {
            return Values.truthy(get(index, name, fallback));
        }

        Args withoutFirst() {
            return new Args(positional.subList(1, positional.size()), named);
        }

        private enum Missing {
            MISSING
        }
    }
}
