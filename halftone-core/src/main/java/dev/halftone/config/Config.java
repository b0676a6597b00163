package dev.halftone.config;

import dev.halftone.InputException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;

/// A configuration: a YAML file with the command line's overrides applied.
///
/// ```java
/// Config config = Config.load(Path.of("qat.yaml"), List.of("batch_size=4"));
/// FinetuneConfig finetune = config.bind(FinetuneConfig.class).value();
/// ```
///
/// @param source the file's name in messages
/// @param tree as written: references `${…}` are still there
public record Config(String source, Node.Mapping tree) {
    /// A configuration bound to its record.
    ///
    /// @param ignored the keys that were accepted and have no effect, in the file's order
    public record Bound<R>(R value, List<Ignored> ignored) {}

    /// @param overrides `key=value` and `~key`, in the order in which they apply
    /// @throws InputException if the file cannot be read or is not YAML, or an override is malformed
    public static Config load(Path file, List<String> overrides) {
        try {
            return parse(file.toString(), Files.readString(file), overrides);
        } catch (CharacterCodingException e) {
            throw new InputException("%s is not a text in UTF-8. Name a YAML file.".formatted(file), e);
        } catch (IOException e) {
            throw new InputException(
                    "%s: the configuration cannot be read (%s). Check the path.".formatted(file, e), e);
        }
    }

    /// The same for a text that is already in memory.
    public static Config parse(String source, String yaml, List<String> overrides) {
        return new Config(source, Overrides.apply(Yaml.read(source, yaml), overrides));
    }

    /// The tree with every `${…}` replaced.
    public Node.Mapping resolved() {
        return Interpolation.resolve(tree);
    }

    /// Checks every key and makes the record.
    ///
    /// @throws InputException naming file, line and key of the first thing that is wrong
    public <R extends Record> Bound<R> bind(Class<R> type) {
        return bind(type, value -> value);
    }

    /// The same with a check of its own, such as what one of two recipes demands.
    ///
    /// @param check throws an [InputException] whose message begins with the key that is wrong; its place is added
    public <R extends Record> Bound<R> bind(Class<R> type, UnaryOperator<R> check) {
        Schema<R> schema = Schema.of(type);
        Node.Mapping resolved = resolved();
        Binder binder = new Binder();
        R value = binder.record(schema, resolved, "");
        try {
            return new Bound<>(check.apply(value), binder.ignored());
        } catch (InputException e) {
            throw Binder.located(e, schema, resolved, "");
        }
    }
}
