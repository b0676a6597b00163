package dev.halftone.chat;

import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.chat.jinja.Template;
import dev.halftone.chat.jinja.Template.Rendered;
import dev.halftone.format.Json;
import dev.halftone.tokenizer.SpecialTokens;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.ZoneId;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// A model's chat template: messages in, the text to tokenize out (without adding special tokens, for it holds
/// them).
///
/// Renders as `tokenizer.apply_chat_template` of transformers 5 does. Threads may share it.
public final class ChatTemplate {
    private static final Pattern GENERATION = Pattern.compile("\\{%-?\\s*generation\\s*-?%}");

    private final Template template;
    private final Map<String, String> specialTokens;
    private final boolean marksGeneration;
    private final Clock clock;

    private ChatTemplate(String source, String name, SpecialTokens specialTokens, Clock clock) {
        this.template = Template.parse(source, name);
        this.specialTokens = specialTokens.tokens();
        this.marksGeneration = GENERATION.matcher(source).find();
        this.clock = clock;
    }

    /// A template from its source.
    ///
    /// @throws InputException if it does not parse
    public static ChatTemplate of(String source, SpecialTokens specialTokens) {
        return of(source, specialTokens, Clock.system(ZoneId.systemDefault()));
    }

    /// A template whose `strftime_now` reads this clock.
    public static ChatTemplate of(String source, SpecialTokens specialTokens, Clock clock) {
        return new ChatTemplate(source, "the chat template", specialTokens, clock);
    }

    /// The template of a model folder: `chat_template.jinja`, or `chat_template` in `tokenizer_config.json`,
    /// which is a template or a list of named ones, of which `default` is taken.
    ///
    /// @return empty if the folder has none, as folders of base models have not
    /// @throws InputException if it does not parse
    public static Optional<ChatTemplate> load(Path folder) {
        return find(folder)
                .map(s -> new ChatTemplate(
                        s.text, s.name, SpecialTokens.read(folder), Clock.system(ZoneId.systemDefault())));
    }

    /// The source of what [#load] loads.
    public static Optional<String> source(Path folder) {
        return find(folder).map(Source::text);
    }

    private record Source(String text, String name) {}

    private static Optional<Source> find(Path folder) {
        Path file = folder.resolve("chat_template.jinja");
        if (Files.isRegularFile(file)) {
            return Optional.of(new Source(read(file), file.toString()));
        }
        Path config = folder.resolve("tokenizer_config.json");
        if (!Files.isRegularFile(config)) {
            return Optional.empty();
        }
        String text = fromConfig(Json.readObject(config).path("chat_template"), config);
        return Optional.ofNullable(text).map(s -> new Source(s, config + " (chat_template)"));
    }

    private static @Nullable String fromConfig(JsonNode value, Path config) {
        if (value.isString()) {
            return value.asString();
        }
        if (!value.isArray()) {
            return null;
        }
        for (JsonNode named : value) {
            if (named.path("name").asString("").equals("default")) {
                return named.path("template").asString();
            }
        }
        throw new InputException("%s has several chat templates, and none is named 'default'. Save one as %s."
                .formatted(config, "chat_template.jinja"));
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new RunException(
                    "%s cannot be read (%s). Check that it is UTF-8 text and its permissions."
                            .formatted(file, e.getMessage()),
                    e);
        }
    }

    /// The text of a conversation.
    ///
    /// @param addGenerationPrompt whether to end with the beginning of the assistant's turn
    /// @param extras further variables for the template, such as `tools` or `enable_thinking`
    /// @throws InputException if the template refuses the messages, or fails on them
    public String render(List<Message> messages, boolean addGenerationPrompt, Map<String, ?> extras) {
        return renderWithSpans(messages, addGenerationPrompt, extras).text();
    }

    /// The text of a conversation, with the parts that the assistant says if [#marksGeneration].
    public Rendered renderWithSpans(List<Message> messages, boolean addGenerationPrompt, Map<String, ?> extras) {
        Map<String, @Nullable Object> variables = new LinkedHashMap<>(specialTokens);
        variables.put("tools", null);
        variables.put("documents", null);
        variables.putAll(extras);
        variables.put("messages", messages.stream().map(Message::fields).toList());
        variables.put("add_generation_prompt", addGenerationPrompt);
        return template.render(variables, clock);
    }

    /// Whether the template says with `{% generation %}` what the assistant says.
    public boolean marksGeneration() {
        return marksGeneration;
    }
}
