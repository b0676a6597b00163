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

    /// The whole number of this name; 0 where there is none.
    long whole(String name) {
        return attributes.stream()
                .filter(a -> a.name().equals(name))
                .mapToLong(a -> a instanceof Attribute.Whole(String _, long value) ? value : 0)
                .findFirst()
                .orElse(0);
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

    static OnnxNode of(Message node) {
        List<Attribute> attributes = node.messages(5).stream()
                .<Attribute>map(a -> switch ((int) a.whole(20)) {
                    case 2 -> new Attribute.Whole(a.text(1), a.whole(3));
                    case 3 -> new Attribute.Text(a.text(1), a.text(4));
                    case 7 -> new Attribute.Wholes(a.text(1), a.wholes(8));
                    default -> throw new IllegalArgumentException("no attribute of Halftone's is of that type");
                })
                .toList();
        return new OnnxNode(node.text(4), node.text(7), node.texts(1), node.texts(2), attributes);
    }
}
