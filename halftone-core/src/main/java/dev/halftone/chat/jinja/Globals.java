package dev.halftone.chat.jinja;

import dev.halftone.chat.jinja.Callable.Args;
import java.time.Clock;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The functions that every template has.
final class Globals {
    /// jinja2's sandbox allows no longer range.
    private static final int MAX_RANGE = 100_000;

    private Globals() {}

    static Scope scope(Clock clock) {
        Scope scope = new Scope(null);
        define(scope, "range", Globals::range);
        define(scope, "dict", Globals::dict);
        define(scope, "namespace", args -> {
            Namespace namespace = new Namespace(new LinkedHashMap<>());
            dict(args).forEach((name, value) -> namespace.put(Values.string(name), value));
            return namespace;
        });
        define(scope, "raise_exception", args -> {
            throw new TemplateException(args.string(0, "message"));
        });
        define(scope, "strftime_now", args -> Strftime.format(args.string(0, "format"), ZonedDateTime.now(clock)));
        return scope;
    }

    private static void define(Scope scope, String name, Callable function) {
        scope.set(name, function);
    }

    private static List<Object> range(Args args) {
        long first = Values.whole(args.get(0, "start"));
        long start = args.size() < 2 ? 0 : first;
        long stop = args.size() < 2 ? first : Values.whole(args.get(1, "stop"));
        long step = Values.whole(args.get(2, "step", 1L));
        if (step == 0) {
            throw new TemplateException("range() arg 3 must not be zero");
        }
        List<Object> numbers = new ArrayList<>();
        for (long i = start; step > 0 ? i < stop : i > stop; i += step) {
            if (numbers.size() == MAX_RANGE) {
                throw new TemplateException(
                        "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).".formatted(MAX_RANGE));
            }
            numbers.add(i);
        }
        return numbers;
    }

    private static Map<Object, Object> dict(Args args) {
        Map<Object, Object> dict = new LinkedHashMap<>();
        if (args.size() > 0) {
            if (args.positional().getFirst() instanceof Map<?, ?> map) {
                dict.putAll(map);
            } else {
                for (Object pair : Values.items(args.positional().getFirst())) {
                    List<Object> keyAndValue = Values.items(pair);
                    if (keyAndValue.size() != 2) {
                        throw new TemplateException("dict() needs a mapping or pairs");
                    }
                    dict.put(keyAndValue.get(0), keyAndValue.get(1));
                }
            }
        }
        dict.putAll(args.named());
        return dict;
    }
}
