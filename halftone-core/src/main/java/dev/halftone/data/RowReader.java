package dev.halftone.data;

import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.config.schema.SourceFormat;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Reads data files:
///
/// - `.txt`: the file is one sample;
/// - `.jsonl`: each line that is not blank is one sample, a JSON object;
/// - `.json`: a list of samples, an object that holds one such list, or samples one after the other.
final class RowReader {
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final @Nullable SourceFormat format;
    private final String column;

    /// @param format what files hold whose names do not say it
    /// @param column what text is called as a column, and what each sample must have
    RowReader(@Nullable SourceFormat format, String column) {
        this.format = format;
        this.column = column;
    }

    /// Whether a file of a folder is data.
    boolean accepts(Path file) {
        return switch (extension(file)) {
            case "txt" -> format != SourceFormat.JSON;
            case "json", "jsonl" -> format != SourceFormat.TEXT;
            default -> false;
        };
    }

    /// @throws InputException if a file is empty, malformed, or of an unknown kind
    List<Row> read(List<Path> files) {
        List<Row> rows = new ArrayList<>();
        for (Path file : files) {
            List<Row> read = read(file);
            if (read.isEmpty()) {
                throw new InputException("%s is empty. Remove it from data_files, or fill it.".formatted(file));
            }
            rows.addAll(read);
        }
        return rows;
    }

    private List<Row> read(Path file) {
        try {
            String extension = extension(file);
            if (format == SourceFormat.TEXT || (format == null && extension.equals("txt"))) {
                return text(file);
            }
            if (extension.equals("jsonl")) {
                return lines(file);
            }
            if (format == SourceFormat.JSON || extension.equals("json")) {
                return json(file);
            }
        } catch (CharacterCodingException e) {
            throw new InputException("%s is not UTF-8 text. Convert it.".formatted(file), e);
        } catch (IOException e) {
            throw new RunException("%s cannot be read (%s). Check its permissions.".formatted(file, e.getMessage()), e);
        }
        throw new InputException(
                ("%s: its name does not say what it holds. Set the dataset's source to json or text, or name it .txt,"
                                + " .json or .jsonl.")
                        .formatted(file));
    }

    private static String extension(Path file) {
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        return name.substring(name.lastIndexOf('.') + 1);
    }

    private List<Row> text(Path file) throws IOException {
        String text = Files.readString(file);
        return text.isBlank()
                ? List.of()
                : List.of(new Row(JSON.createObjectNode().put(column, text), file, 0));
    }

    private static List<Row> lines(Path file) throws IOException {
        List<Row> rows = new ArrayList<>();
        List<String> lines = Files.readAllLines(file);
        for (int i = 0; i < lines.size(); i++) {
            String line =
                    i == 0 && lines.get(i).startsWith("\uFEFF") ? lines.get(i).substring(1) : lines.get(i);
            if (!line.isBlank()) {
                rows.add(row(parse(line, file, i + 1L), file, i + 1L));
            }
        }
        return rows;
    }

    private static JsonNode parse(String line, Path file, long number) {
        try {
            return JSON.readTree(line);
        } catch (JacksonException e) {
            throw malformed(file, number, e);
        }
    }

    private List<Row> json(Path file) throws IOException {
        List<Row> rows = new ArrayList<>();
        try (JsonParser parser = JSON.createParser(Files.readAllBytes(file))) {
            for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
                long line = parser.currentTokenLocation().getLineNr();
                if (token == JsonToken.START_ARRAY) {
                    elements(parser, file, rows);
                } else {
                    rows.add(row(parser.readValueAsTree(), file, line));
                }
            }
        } catch (JacksonException e) {
            throw malformed(file, e.getLocation() == null ? 0 : e.getLocation().getLineNr(), e);
        }
        return rows.size() == 1 ? inner(rows.getFirst()) : rows;
    }

    private static void elements(JsonParser parser, Path file, List<Row> rows) {
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            long line = parser.currentTokenLocation().getLineNr();
            rows.add(row(parser.readValueAsTree(), file, line));
        }
    }

    /// `{"data": [{…}, …]}`: a lone object without the column that samples have, but with one list.
    private List<Row> inner(Row only) {
        List<JsonNode> lists =
                only.fields().valueStream().filter(JsonNode::isArray).toList();
        if (only.fields().has(column) || lists.size() != 1) {
            return List.of(only);
        }
        return lists.getFirst()
                .valueStream()
                .map(fields -> row(fields, only.file(), only.line()))
                .toList();
    }

    private static Row row(JsonNode fields, Path file, long line) {
        Row row = new Row(fields, file, line);
        if (!fields.isObject()) {
            throw row.error("a sample is not a JSON object", "Write each as {\"column\": …}.");
        }
        return row;
    }

    private static InputException malformed(Path file, long line, JacksonException e) {
        return new InputException(
                "%s, line %d: malformed JSON (%s). Correct the line.".formatted(file, line, e.getOriginalMessage()), e);
    }
}
