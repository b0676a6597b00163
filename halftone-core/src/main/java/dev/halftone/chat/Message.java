package dev.halftone.chat;

import dev.halftone.InputException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// One turn of a conversation, in the form of OpenAI's chat API.
///
/// @param role `system`, `user`, `assistant` or `tool`
/// @param content what is said: a string, or a list of parts such as `{"type": "text", "text": …}`; null in a
///     turn that only calls tools
/// @param more further keys that templates may read: `tool_calls`, `tool_call_id`, `name`, `reasoning_content`, …
public record Message(String role, @Nullable Object content, Map<String, Object> more) {
    private static final JsonMapper JSON = JsonMapper.shared();

    public Message {
        more = Collections.unmodifiableMap(new LinkedHashMap<>(more));
    }

    public Message(String role, String content) {
        this(role, content, Map.of());
    }

    /// Reads `{"role": …, "content": …, …}`. A key whose value is null counts as absent.
    ///
    /// @throws InputException if there is no role, or the content is neither text nor a list
    public static Message fromJson(JsonNode json) {
        if (!json.path("role").isString()) {
            throw new InputException(
                    "a message has no 'role'. Write each as {\"role\": \"user\", \"content\": \"…\"}.");
        }
        JsonNode content = json.path("content");
        boolean absent = content.isMissingNode() || content.isNull();
        if (!absent && !content.isString() && !content.isArray()) {
            throw new InputException("a message's 'content' is neither text nor a list of parts. Write a string.");
        }
        Map<String, Object> more = new LinkedHashMap<>();
        json.properties().forEach(entry -> {
            boolean own = entry.getKey().equals("role") || entry.getKey().equals("content");
            if (!own && !entry.getValue().isNull()) {
                more.put(entry.getKey(), JSON.treeToValue(entry.getValue(), Object.class));
            }
        });
        return new Message(json.get("role").asString(), absent ? null : JSON.treeToValue(content, Object.class), more);
    }

    /// Whether this turn calls tools.
    public boolean callsTools() {
        return more.get("tool_calls") instanceof List<?> calls && !calls.isEmpty();
    }

    /// The message as a template sees it. Reasoning is there under each of the names that templates use for it,
    /// as in transformers (`_alias_reasoning_fields`, 5.23).
    Map<String, Object> fields() {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("role", role);
        if (content != null) {
            fields.put("content", content);
        }
        fields.putAll(more);
        for (String name : List.of("reasoning_content", "thinking", "reasoning")) {
            Object reasoning = more.get(name);
            if (reasoning != null) {
                fields.putIfAbsent("thinking", reasoning);
                fields.put("reasoning_content", reasoning);
                break;
            }
        }
        return fields;
    }
}
