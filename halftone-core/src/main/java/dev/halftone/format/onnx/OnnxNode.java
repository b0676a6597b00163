package dev.halftone.format.onnx;

import java.util.List;

/// An operator at work.
///
/// @param domain whose operator it is: empty for ONNX's own
/// @param inputs names of values; an empty one is left out
/// @param outputs names of values
public record OnnxNode(
        String type, String domain, List<String> inputs, List<String> outputs, List<Attribute> attributes) {
    /// onnxruntime's own operators.
    static final String CONTRIB = "com.microsoft";

    /// A constant that an operator takes.
    public sealed interface Attribute {
        String name();

        record Whole(String name, long value) implements Attribute {}

        record Wholes(String name, long... value) implements Attribute {}

        record Text(String name, String value) implements Attribute {}

        static Attribute of(String name, long value) {
            return new Whole(name, value);
        }
    }

    /// A `NodeProto`.
    MessageWriter message() {
        MessageWriter node = new MessageWriter()
                .texts(1, inputs)
                .texts(2, outputs)
                .text(3, outputs.getFirst())
                .text(4, type);
        attributes.forEach(a -> node.message(5, message(a)));
        return domain.isEmpty() ? node : node.text(7, domain);
    }

    /// An `AttributeProto`, whose field 20 says what it holds.
    private static MessageWriter message(Attribute attribute) {
        MessageWriter out = new MessageWriter().text(1, attribute.name());
        return switch (attribute) {
            case Attribute.Whole(String _, long value) -> out.whole(3, value).whole(20, 2);
            case Attribute.Text(String _, String value) -> out.text(4, value).whole(20, 3);
            case Attribute.Wholes(String _, long[] values) ->
                out.wholes(8, values).whole(20, 7);
        };
    }
}
