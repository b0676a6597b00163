package dev.halftone.chat.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/// What filters such as `map` give: true even if empty, without a length, and empty once it was iterated.
final class Generator {
    private final Iterator<Object> items;

    Generator(List<Object> items) {
        this.items = items.iterator();
    }

    Iterator<Object> items() {
        return items;
    }

    List<Object> drain() {
        List<Object> rest = new ArrayList<>();
        items.forEachRemaining(rest::add);
        return rest;
    }
}
