package dev.halftone.data;

import dev.halftone.InputException;
import dev.halftone.chat.ChatTemplate;
import dev.halftone.chat.Message;
import dev.halftone.chat.jinja.Template.Rendered;
import dev.halftone.chat.jinja.Template.Span;
import dev.halftone.tokenizer.Encoding;
import dev.halftone.tokenizer.SpecialTokens;
import dev.halftone.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Turns conversations into token ids, and says which of them the assistant speaks.
///
/// The text is what the model's chat template writes. Where the template has `{% generation %}` blocks, these are
/// the assistant's tokens, as in transformers' `return_assistant_tokens_mask`. Other templates are asked by
/// example: an assistant's turn starts where the conversation before it, with a generation prompt, stops agreeing
/// with the whole, and ends where the conversation up to and with it does. So what the turn ends with
/// (`<|im_end|>` and a newline) is learnt, and what it starts with (`<|im_start|>assistant`) is not.
///
/// A model without a template gets the messages one after the other, and the end-of-sequence token after each
/// answer.
public final class ConversationEncoder {
    private static final String PLAIN = "{% for m in messages %}{% if m.role == 'assistant' %}"
            + "{% generation %}{{ m.content ~ eos_token }}{% endgeneration %}"
            + "{% else %}{{ m.content }}{% endif %}{% endfor %}";

    private final Tokenizer tokenizer;
    private final ChatTemplate template;
    private final boolean addSpecialTokens;

    /// @param template the model's, if it has one
    public ConversationEncoder(Tokenizer tokenizer, Optional<ChatTemplate> template) {
        this.tokenizer = tokenizer;
        this.template = template.orElseGet(() -> plain(tokenizer));
        // A template writes the special tokens itself.
        this.addSpecialTokens = template.isEmpty();
    }

    private static ChatTemplate plain(Tokenizer tokenizer) {
        String eos = tokenizer.eosId().isPresent()
                ? tokenizer.decode(new int[] {tokenizer.eosId().getAsInt()}, false)
                : "";
        return ChatTemplate.of(PLAIN, new SpecialTokens(Map.of("eos_token", eos)));
    }

    /// A conversation as a sample.
    ///
    /// @param extras further variables for the template, such as `tools`
    /// @param trainOnInput whether everything but the system message is learnt, instead of the assistant's turns
    ///     only    /// @throws InputException if the template refuses the conversation, or does not tell whose
    ///     tokens are whose
    public Sample encode(List<Message> messages, Map<String, ?> extras, boolean trainOnInput) {
        Rendered rendered = template.renderWithSpans(messages, false, extras);
        Encoding encoding = tokenizer.encodeWithOffsets(rendered.text(), addSpecialTokens);
        int[] ids = encoding.ids();
        if (ids.length == 0) {
            throw new InputException("the conversation has no tokens. Correct it.");
        }
        int[] labels = ids.clone();
        if (trainOnInput) {
            Arrays.fill(labels, 0, systemLength(messages, extras, ids), Sample.IGNORED);
        } else {
            Arrays.fill(labels, Sample.IGNORED);
            List<Span> turns = template.marksGeneration()
                    ? tokensOf(rendered.generated(), encoding)
                    : turns(messages, extras, ids);
            turns.forEach(turn -> System.arraycopy(ids, turn.start(), labels, turn.start(), turn.end() - turn.start()));
        }
        return new Sample(ids, labels);
    }

    /// Characters to tokens. A token that only begins in the span, or only ends in it, belongs to it.
    private static List<Span> tokensOf(List<Span> characters, Encoding encoding) {
        List<Span> tokens = new ArrayList<>();
        for (Span span : characters) {
            int start = encoding.firstTokenAt(span.start());
            int end = encoding.lastTokenAt(span.end() - 1);
            if (start >= 0 && end >= start) {
                tokens.add(new Span(start, end + 1));
            }
        }
        return tokens;
    }

    private int systemLength(List<Message> messages, Map<String, ?> extras, int[] ids) {
        return messages.getFirst().role().equals("system")
                ? common(ids, tokens(messages.subList(0, 1), false, extras))
                : 0;
    }

    /// The assistant's turns by example.
    private List<Span> turns(List<Message> messages, Map<String, ?> extras, int[] ids) {
        List<Span> turns = new ArrayList<>();
        for (int i = 0; i < messages.size(); i++) {
            if (messages.get(i).role().equals("assistant")) {
                int start = start(messages.subList(0, i), extras, ids);
                boolean last = i == messages.size() - 1;
                turns.add(new Span(start, last ? ids.length : end(messages.subList(0, i + 1), extras, ids, start)));
            }
        }
        return turns;
    }

    private int start(List<Message> before, Map<String, ?> extras, int[] ids) {
        int[] prompt = tokens(before, true, extras);
        int start = common(ids, prompt);
        // The prompt may say more than the turn does (`<think>`), and its last token may merge with what follows, but
        // the conversation so far must be there.
        if (start < prompt.length && start < tokens(before, false, extras).length - 1) {
            throw rewrites();
        }
        return start;
    }

    /// @param upTo the conversation up to and with the turn
    private int end(List<Message> upTo, Map<String, ?> extras, int[] ids, int start) {
        int[] prefix = tokens(upTo, false, extras);
        int end = common(ids, prefix);
        if (end == prefix.length) {
            return end;
        }
        // Some templates end the whole text with a token of their own.
        int[] terminator = terminator(upTo, extras);
        if (end > start && end >= prefix.length - terminator.length) {
            return end;
        }
        // Others write a last turn unlike an earlier one, such as with its reasoning. But all turns end alike.
        for (int i = start; terminator.length > 0 && i + terminator.length <= ids.length; i++) {
            if (Arrays.equals(ids, i, i + terminator.length, terminator, 0, terminator.length)) {
                return i + terminator.length;
            }
        }
        throw rewrites();
    }

    /// What a last turn ends with, whatever is said in it.
    private int[] terminator(List<Message> upTo, Map<String, ?> extras) {
        List<Message> other = new ArrayList<>(upTo.subList(0, upTo.size() - 1));
        other.add(new Message("assistant", "A"));
        int[] a = tokens(other, false, extras);
        other.set(other.size() - 1, new Message("assistant", "B"));
        int[] b = tokens(other, false, extras);
        int length = 0;
        while (length < Math.min(a.length, b.length) && a[a.length - 1 - length] == b[b.length - 1 - length]) {
            length++;
        }
        return Arrays.copyOfRange(a, a.length - length, a.length);
    }

    private int[] tokens(List<Message> messages, boolean generationPrompt, Map<String, ?> extras) {
        return tokenizer.encode(template.render(messages, generationPrompt, extras), addSpecialTokens);
    }

    private static int common(int[] a, int[] b) {
        int mismatch = Arrays.mismatch(a, b);
        return mismatch < 0 ? a.length : mismatch;
    }

    private static InputException rewrites() {
        return new InputException(
                "the chat template rewrites earlier turns, so that the assistant's tokens cannot be told from the others."
                        + " Put {% generation %} and {% endgeneration %} around what the assistant says in"
                        + " chat_template.jinja, or end each conversation after its first answer.");
    }
}
