package dev.halftone.data;

import dev.halftone.InputException;
import dev.halftone.chat.Message;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// Rows of the usual formats as conversations, by the rules of torchtune's message transforms
/// (torchtune/data/_messages.py, 0.7).
final class Conversations {
    private Conversations() {}

    /// OpenAI's: `[{"role": …, "content": …}, …]`.
    ///
    /// @param systemPrompt takes the place of the conversation's own system message
    static List<Message> openAi(Row row, String column, @Nullable String systemPrompt) {
        return conversation(row, column, systemPrompt, Message::fromJson);
    }

    /// ShareGPT's: `[{"from": "human", "value": …}, …]`.
    static List<Message> shareGpt(Row row, String column, @Nullable String systemPrompt) {
        return conversation(row, column, systemPrompt, Conversations::fromShareGpt);
    }

    private static List<Message> conversation(
            Row row, String column, @Nullable String systemPrompt, Function<JsonNode, Message> reader) {
        List<Message> messages = new ArrayList<>();
        if (systemPrompt != null) {
            messages.add(new Message("system", systemPrompt));
        }
        for (JsonNode json : row.list(column)) {
            Message message;
            try {
                message = reader.apply(json);
            } catch (InputException e) {
                throw new InputException(row.where() + ": " + e.getMessage(), e);
            }
            if (systemPrompt == null || !message.role().equals("system")) {
                messages.add(message);
            }
        }
        validate(messages, row);
        return messages;
    }

    private static Message fromShareGpt(JsonNode json) {
        String from = json.path("from").asString("");
        String role = switch (from) {
            case "system" -> "system";
            case "human", "user" -> "user";
            case "gpt", "assistant" -> "assistant";
            default ->
                throw new InputException(
                        "a message is from '%s'. ShareGPT knows system, human and gpt.".formatted(from));
        };
        if (!json.path("value").isString()) {
            throw new InputException(
                    "a message has no 'value'. Write each as {\"from\": \"human\", \"value\": \"…\"}.");
        }
        return new Message(role, json.get("value").asString());
    }

    /// A prompt and an answer.
    ///
    /// @param columns names of the columns `input` and `output`, where they have others
    static List<Message> instruct(Row row, Map<String, String> columns, @Nullable String systemPrompt) {
        List<Message> messages = new ArrayList<>();
        if (systemPrompt != null) {
            messages.add(new Message("system", systemPrompt));
        }
        messages.add(new Message("user", row.text(columns.getOrDefault("input", "input"))));
        messages.add(new Message("assistant", row.text(columns.getOrDefault("output", "output"))));
        return messages;
    }

    /// An instruction in the words of Stanford Alpaca's training code, and an answer.
    ///
    /// @param columns names of the columns `instruction`, `input` and `output`, where they have others
    static List<Message> alpaca(Row row, Map<String, String> columns) {
        String instruction = row.text(columns.getOrDefault("instruction", "instruction"));
        String input = row.textOrNull(columns.getOrDefault("input", "input"));
        String prompt = input == null || input.isEmpty()
                ? "Below is an instruction that describes a task. Write a response that appropriately completes the"
                        + " request.\n\n### Instruction:\n" + instruction + "\n\n### Response:\n"
                : "Below is an instruction that describes a task, paired with an input that provides further context."
                        + " Write a response that appropriately completes the request.\n\n### Instruction:\n"
                        + instruction + "\n\n### Input:\n" + input + "\n\n### Response:\n";
        return List.of(
                new Message("user", prompt),
                new Message("assistant", row.text(columns.getOrDefault("output", "output"))));
    }

    /// A conversation goes back and forth, starts with the user, and has its system message first.
    private static void validate(List<Message> messages, Row row) {
        String mend = "Correct the conversation.";
        if (messages.size() < 2) {
            throw row.error("a conversation has fewer than two messages", mend);
        }
        String before = "";
        for (int i = 0; i < messages.size(); i++) {
            String role = messages.get(i).role();
            boolean wrong = switch (role) {
                case "system" -> i > 0;
                case "user" -> before.equals("user");
                case "assistant" -> !before.equals("user") && !before.equals("tool");
                case "tool" -> !before.equals("assistant") && !before.equals("tool");
                default -> false;
            };
            if (wrong) {
                throw row.error(
                        "message %d is from '%s' and follows %s"
                                .formatted(i + 1, role, before.isEmpty() ? "none" : "one from '" + before + "'"),
                        mend);
            }
            before = role.equals("ipython") ? "tool" : role;
        }
    }
}
