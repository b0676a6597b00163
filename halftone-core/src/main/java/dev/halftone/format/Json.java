package dev.halftone.format;

import dev.halftone.InputException;
import dev.halftone.RunException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.core.util.DefaultIndenter;
import tools.jackson.core.util.DefaultPrettyPrinter;
import tools.jackson.core.util.Separators;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectWriter;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/// JSON files as Hugging Face's libraries read and write them.
public final class Json {
    /// Python's `json` writes `NaN` and `Infinity` into some configurations.
    private static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private static final ObjectWriter PRETTY = MAPPER.writer()
            .with(new DefaultPrettyPrinter(Separators.createDefaultInstance()
                            .withObjectNameValueSpacing(Separators.Spacing.AFTER)
                            .withObjectEmptySeparator("")
                            .withArrayEmptySeparator(""))
                    .withObjectIndenter(new DefaultIndenter("  ", "\n"))
                    .withArrayIndenter(new DefaultIndenter("  ", "\n")));

    private Json() {}

    /// An empty object to fill.
    public static ObjectNode object() {
        return MAPPER.createObjectNode();
    }

    /// An object written in the program.
    public static ObjectNode parseObject(String json) {
        return (ObjectNode) MAPPER.readTree(json);
    }

    /// Maps, lists, texts, numbers and booleans as a tree.
    public static ObjectNode of(Map<String, ?> values) {
        return MAPPER.valueToTree(values);
    }

    /// Reads a file that holds one JSON object.
    ///
    /// @throws InputException if the file is missing or holds anything else
    public static ObjectNode readObject(Path file) {
        JsonNode node;
        try {
            node = MAPPER.readTree(Files.readAllBytes(file));
        } catch (NoSuchFileException e) {
            throw new InputException("%s does not exist. Check the path.".formatted(file), e);
        } catch (IOException e) {
            throw new RunException(
                    "%s could not be read (%s). Check that it is a file and its permissions."
                            .formatted(file, e.getMessage()),
                    e);
        } catch (JacksonException e) {
            throw new InputException(
                    "%s, line %d: not valid JSON (%s). Correct the file or fetch it again."
                            .formatted(file, e.getLocation().getLineNr(), e.getOriginalMessage()),
                    e);
        }
        if (node instanceof ObjectNode object) {
            return object;
        }
        throw new InputException("%s does not hold a JSON object. Correct the file or fetch it again.".formatted(file));
    }

    /// `node` with an indent of two, as transformers writes it.
    public static String pretty(JsonNode node) {
        return PRETTY.writeValueAsString(node) + "\n";
    }

    /// Writes a file, whole or not at all.
    public static void write(Path file, JsonNode node) {
        AtomicFiles.writeString(file, pretty(node));
    }
}
