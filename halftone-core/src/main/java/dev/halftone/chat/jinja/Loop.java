package dev.halftone.chat.jinja;

import dev.halftone.chat.jinja.Callable.Args;
import java.util.List;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/// The variable `loop`.
final class Loop {
    private final List<Object> items;
    private final int depth;
    private final @Nullable BiFunction<Object, Integer, Object> recursion;
    private int index;
    private @Nullable Object lastChanged;

    /// @param depth from 0: how many recursive calls stand around this loop
    /// @param recursion renders the body for other items, one level deeper; null if the loop is not recursive
    Loop(List<Object> items, int depth, @Nullable BiFunction<Object, Integer, Object> recursion) {
        this.items = items;
        this.depth = depth;
        this.recursion = recursion;
    }

    void moveTo(int newIndex) {
        index = newIndex;
    }

    int length() {
        return items.size();
    }

    @Nullable
    Object attribute(String name) {
        return switch (name) {
            case "index" -> index + 1L;
            case "index0" -> (long) index;
            case "revindex" -> (long) items.size() - index;
            case "revindex0" -> items.size() - index - 1L;
            case "first" -> index == 0;
            case "last" -> index == items.size() - 1;
            case "length" -> (long) items.size();
            case "depth" -> depth + 1L;
            case "depth0" -> (long) depth;
            case "previtem" -> index == 0 ? new Undefined("there is no previous item") : items.get(index - 1);
            case "nextitem" ->
                index == items.size() - 1 ? new Undefined("there is no next item") : items.get(index + 1);
            case "cycle" ->
                (Callable) args -> {
                    if (args.size() == 0) {
                        throw new TemplateException("no items for cycling given");
                    }
                    return args.positional().get(index % args.size());
                };
            case "changed" ->
                (Callable) args -> {
                    Tuple values = new Tuple(args.positional());
                    boolean changed = lastChanged == null || !Values.equal(lastChanged, values);
                    lastChanged = values;
                    return changed;
                };
            default -> null;
        };
    }

    /// `loop(items)` of a recursive loop.
    Object call(Args args) {
        if (recursion == null) {
            throw new TemplateException("the loop must have the 'recursive' marker to be called");
        }
        return recursion.apply(args.get(0, "iterable"), depth + 1);
    }
}
