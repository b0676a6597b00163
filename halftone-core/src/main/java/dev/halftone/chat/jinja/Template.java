package dev.halftone.chat.jinja;

import dev.halftone.InputException;
import java.time.Clock;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A parsed template. It holds no state, so threads may share it.
public final class Template {
    private final String name;
    private final List<Statement> statements;

    private Template(String name, List<Statement> statements) {
        this.name = name;
        this.statements = statements;
    }

    /// Parses a template.
    ///
    /// @param name what error messages call it: its file
    /// @throws InputException with line and column, if it is not in the part of Jinja that this package knows
    public static Template parse(String source, String name) {
        try {
            return new Template(name, StatementParser.parse(source));
        } catch (TemplateException e) {
            throw inputException(name, e, "Correct the template.");
        } catch (StackOverflowError e) {
            throw new InputException(name + " nests its tags too deeply. Simplify the template.", e);
        }
    }

    /// Fills the template in.
    ///
    /// @param variables strings, numbers, booleans, nulls, and lists and maps of these, by name
    /// @param clock what `strftime_now` reads
    /// @throws InputException with line and column, if the template refuses the variables (`raise_exception`),
    ///     makes a mistake with them, or runs away
    public Rendered render(Map<String, ? extends @Nullable Object> variables, Clock clock) {
        Scope scope = new Scope(Globals.scope(clock));
        variables.forEach((key, value) -> scope.set(key, value(value)));
        try {
            return new Interpreter().render(statements, new Scope(scope));
        } catch (TemplateException e) {
            throw inputException(name, e, "Change the messages or the template.");
        } catch (StackOverflowError e) {
            throw new InputException(name + " calls itself without end. Correct the template.", e);
        }
    }

    /// The text, and the parts of it that `{% generation %}` blocks wrote.
    ///
    /// @param generated in order
    public record Rendered(String text, List<Span> generated) {
        public Rendered {
            generated = List.copyOf(generated);
        }
    }

    /// Characters `[start, end)` of a text, in UTF-16 code units.
    public record Span(int start, int end) {}

    private static InputException inputException(String name, TemplateException e, String mend) {
        At at = e.at();
        String place = at == null ? name : "%s, line %d, column %d".formatted(name, at.line(), at.column());
        String message = String.valueOf(e.getMessage());
        String stop = message.endsWith(".") || message.endsWith("!") ? "" : ".";
        return new InputException(place + ": " + message + stop + " " + mend, e);
    }

    /// Java's values as a template sees them.
    private static Object value(@Nullable Object value) {
        return switch (value) {
            case null -> None.NONE;
            case Integer i -> i.longValue();
            case Short s -> s.longValue();
            case Byte b -> b.longValue();
            case Float f -> f.doubleValue();
            case List<?> list -> {
                List<Object> items = new ArrayList<>(list.size());
                for (Object item : list) {
                    items.add(value(item));
                }
                yield items;
            }
            case Map<?, ?> map -> {
                Map<Object, Object> entries = new LinkedHashMap<>();
                map.forEach((key, item) -> entries.put(value(key), value(item)));
                yield entries;
            }
            default -> value;
        };
    }
}
