package dev.halftone.config;

import dev.halftone.InputException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Compose;
import org.snakeyaml.engine.v2.common.ScalarStyle;
import org.snakeyaml.engine.v2.exceptions.Mark;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.NodeTuple;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;
import org.snakeyaml.engine.v2.schema.FailsafeSchema;

/// Reads YAML as OmegaConf reads it, which is what torchtune's users know: YAML 1.1's booleans (`True`, `yes`, `on`),
/// floats without a point (`2e-5`), underscores in numbers, and no dates.
final class Yaml {
    private static final Pattern TRUE = Pattern.compile("true|True|TRUE|yes|Yes|YES|on|On|ON");
    private static final Pattern FALSE = Pattern.compile("false|False|FALSE|no|No|NO|off|Off|OFF");
    private static final Pattern NULL = Pattern.compile("~|null|Null|NULL|");
    private static final Pattern INTEGER = Pattern.compile("[-+]?(0|[1-9][0-9_]*)");
    private static final Pattern HEXADECIMAL = Pattern.compile("[-+]?0x[0-9a-fA-F_]+");
    private static final Pattern FLOAT = Pattern.compile(
            "[-+]?([0-9][0-9_]*)(\\.[0-9_]*)?([eE][-+]?[0-9]+)?" + "|[-+]?\\.[0-9][0-9_]*([eE][-+]?[0-9]+)?");
    private static final Pattern INFINITY = Pattern.compile("[-+]?\\.(inf|Inf|INF)");
    private static final Pattern NAN = Pattern.compile("\\.(nan|NaN|NAN)");

    private Yaml() {}

    /// Reads a file's text; an empty one is an empty mapping.
    ///
    /// @param source its name in messages
    /// @throws InputException if it is not YAML, has a key twice, or is no mapping
    static Node.Mapping read(String source, String text) {
        Optional<org.snakeyaml.engine.v2.nodes.Node> root = compose(source, text, true);
        if (root.isEmpty()) {
            return new Node.Mapping(new Where(source, 1), Map.of());
        }
        if (new Reader(source, null).node(root.get()) instanceof Node.Mapping mapping) {
            return mapping;
        }
        throw new InputException(
                "%s is not a configuration: its top level is no mapping. Write lines of the form `key: value`."
                        .formatted(source));
    }

    /// Reads one value, such as the right-hand side of an override.
    static Node value(Where where, String text) {
        return compose(where.source(), text, false)
                .map(node -> new Reader(where.source(), where).node(node))
                .orElse(new Node.Scalar(where, null, ""));
    }

    private static Optional<org.snakeyaml.engine.v2.nodes.Node> compose(String source, String text, boolean lines) {
        // The failsafe schema leaves every scalar a text: what a text means is decided below, as OmegaConf does.
        LoadSettings settings = LoadSettings.builder()
                .setLabel(source)
                .setSchema(new FailsafeSchema())
                .setAllowNonScalarKeys(true)
                .build();
        try {
            return new Compose(settings).composeString(text);
        } catch (MarkedYamlEngineException e) {
            String line = e.getProblemMark()
                    .filter(_ -> lines)
                    .map(mark -> ":" + (mark.getLine() + 1))
                    .orElse("");
            throw new InputException(
                    "%s%s: not YAML: %s. Mend the text there.".formatted(source, line, e.getProblem()), e);
        } catch (StackOverflowError e) {
            // The composer calls itself for every level.
            throw new InputException("%s: not YAML: nested too deeply. Mend the text.".formatted(source), e);
        } catch (YamlEngineException e) {
            throw new InputException("%s: not YAML: %s. Mend the text.".formatted(source, e.getMessage()), e);
        }
    }

    /// What a plain (unquoted) text means.
    private static @Nullable Object resolve(String text) {
        if (NULL.matcher(text).matches()) {
            return null;
        }
        if (TRUE.matcher(text).matches()) {
            return true;
        }
        if (FALSE.matcher(text).matches()) {
            return false;
        }
        String digits = text.replace("_", "");
        try {
            if (INTEGER.matcher(text).matches()) {
                return Long.valueOf(digits);
            }
            if (HEXADECIMAL.matcher(text).matches()) {
                return Long.decode(digits);
            }
        } catch (NumberFormatException _) {
            return text; // larger than 64 bits: no key takes that
        }
        if (FLOAT.matcher(text).matches() && !isZeroPadded(text)) {
            return Double.valueOf(digits);
        }
        if (INFINITY.matcher(text).matches()) {
            return text.startsWith("-") ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
        }
        return NAN.matcher(text).matches() ? (Object) Double.NaN : text;
    }

    /// `00005` is part of a file name, not a number (YAML 1.1 would even read it as octal).
    private static boolean isZeroPadded(String text) {
        return text.matches("[-+]?0[0-9_]+");
    }

    /// @param override where the whole value comes from, if not from lines of a file
    private record Reader(String source, @Nullable Where override) {
        Node node(org.snakeyaml.engine.v2.nodes.Node node) {
            Where where = where(node);
            if (node.isRecursive()) {
                throw new InputException("%s: an anchor contains itself. Write the value out.".formatted(where));
            }
            return switch (node) {
                case ScalarNode s ->
                    new Node.Scalar(
                            where,
                            s.getScalarStyle() == ScalarStyle.PLAIN ? resolve(s.getValue()) : s.getValue(),
                            s.getValue());
                case SequenceNode s -> {
                    List<Node> items = new ArrayList<>();
                    s.getValue().forEach(item -> items.add(node(item)));
                    yield new Node.Sequence(where, items);
                }
                case MappingNode m -> mapping(where, m);
                default -> throw new InputException("%s: not a value. Write it out.".formatted(where));
            };
        }

        private Node.Mapping mapping(Where where, MappingNode node) {
            Map<String, Node.Entry> entries = new LinkedHashMap<>();
            for (NodeTuple tuple : node.getValue()) {
                Where keyWhere = where(tuple.getKeyNode());
                if (!(tuple.getKeyNode() instanceof ScalarNode key)) {
                    throw new InputException("%s: a key must be a word.".formatted(keyWhere));
                }
                Node.Entry entry = new Node.Entry(keyWhere, node(tuple.getValueNode()));
                if (entries.put(key.getValue(), entry) != null) {
                    throw new InputException(
                            "%s: '%s' is there twice. Keep one of them.".formatted(keyWhere, key.getValue()));
                }
            }
            return new Node.Mapping(where, entries);
        }

        private Where where(org.snakeyaml.engine.v2.nodes.Node node) {
            return override != null
                    ? override
                    : new Where(source, node.getStartMark().map(Mark::getLine).orElse(0) + 1);
        }
    }
}
