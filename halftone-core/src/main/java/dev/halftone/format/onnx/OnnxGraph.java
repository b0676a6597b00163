package dev.halftone.format.onnx;

import dev.halftone.DType;
import dev.halftone.format.LittleEndian;
import dev.halftone.format.onnx.OnnxNode.Attribute;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongFunction;

/// A model under construction. A value is a name; whoever adds an operator gets the name of what it computes.
///
/// The model's bytes depend on nothing but what was added, in which order: two graphs of the same operators
/// and shapes are the same bytes. Weights are written to a file of their own, and asked for only then.
public final class OnnxGraph {
    /// The version of ONNX's operators: the first with DequantizeLinear in blocks.
    private static final long OPERATORS = 21;
    /// The version of the file format that came with it.
    private static final long IR_VERSION = 10;
    /// What operating systems map: weights begin at multiples of it, so that a runtime need not copy them.
    static final int ALIGNMENT = 4096;

    /// A weight to write, as [#weight] has it.
    record External(OnnxTensor tensor, LongFunction<MemorySegment> rows) {
        long rowCount() {
            return tensor.shape().length > 1 ? tensor.shape()[0] : 1;
        }
    }

    private final List<OnnxNode> nodes = new ArrayList<>();
    private final Map<String, OnnxTensor> constants = new LinkedHashMap<>();
    private final List<External> external = new ArrayList<>();
    private final List<MessageWriter> inputs = new ArrayList<>();
    private final List<MessageWriter> outputs = new ArrayList<>();
    private final Map<String, Integer> uses = new HashMap<>();
    private long size;

    /// Adds an input.
    ///
    /// @param shape a number, or the name of a size that is free
    /// @return `name`
    public String input(String name, DType dtype, Object... shape) {
        inputs.add(value(name, dtype, shape));
        return name;
    }

    /// Makes a value an output, under a name of its own.
    public void output(String name, String value, DType dtype, Object... shape) {
        nodes.add(new OnnxNode("Identity", "", List.of(value), List.of(name), List.of()));
        outputs.add(value(name, dtype, shape));
    }

    /// Adds an operator of ONNX's.
    ///
    /// @param where the part of the model that it belongs to, which its name begins with
    /// @return what it computes
    public String node(String where, String type, String... operands) {
        return node(where, type, List.of(), operands);
    }

    /// The same with attributes.
    public String node(String where, String type, List<Attribute> attributes, String... operands) {
        return add(where, type, "", 1, attributes, operands).getFirst();
    }

    /// The halves of a value along its last dimension.
    public List<String> halves(String where, String value) {
        return add(where, "Split", "", 2, List.of(Attribute.of("axis", -1), Attribute.of("num_outputs", 2)), value);
    }

    /// Adds an operator of onnxruntime's own.
    public String contrib(String where, String type, List<Attribute> attributes, String... operands) {
        return add(where, type, OnnxNode.CONTRIB, 1, attributes, operands).getFirst();
    }

    private List<String> add(
            String where, String type, String domain, int results, List<Attribute> attributes, String... operands) {
        String name = where + "/" + type;
        List<String> names = new ArrayList<>();
        for (int i = 0; i < results; i++) {
            int use = uses.merge(name, 1, Integer::sum);
            names.add(use == 1 ? name : name + "_" + use);
        }
        nodes.add(new OnnxNode(type, domain, List.of(operands), names, attributes));
        return names;
    }

    /// A constant vector of whole numbers, such as a shape.
    public String wholes(long... values) {
        ByteBuffer bytes = buffer(values.length * Long.BYTES);
        Arrays.stream(values).forEach(bytes::putLong);
        return constant(Arrays.toString(values), DType.I64, bytes.flip(), values.length);
    }

    /// A constant scalar.
    public String number(float value) {
        return constant(
                Float.toString(value),
                DType.F32,
                buffer(Float.BYTES).putFloat(value).flip());
    }

    /// A constant scalar.
    public String number(long value) {
        return constant(
                Long.toString(value),
                DType.I64,
                buffer(Long.BYTES).putLong(value).flip());
    }

    /// A constant vector of bytes, unsigned.
    public String bytes(byte... values) {
        return constant("u8" + Arrays.toString(values), DType.U8, ByteBuffer.wrap(values), values.length);
    }

    /// A constant vector.
    public String numbers(String name, float... values) {
        ByteBuffer bytes = buffer(values.length * Float.BYTES);
        for (float value : values) {
            bytes.putFloat(value);
        }
        return constant(name, DType.F32, bytes.flip(), values.length);
    }

    private String constant(String name, DType dtype, ByteBuffer bytes, long... shape) {
        constants.putIfAbsent(name, new OnnxTensor(name, dtype, shape, bytes, 0));
        return name;
    }

    private static ByteBuffer buffer(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    /// Adds a weight.
    ///
    /// @param rows gives the bytes of a row, 0 to the first size of the shape; all of a vector are one. Each
    ///     is asked once, in turn
    /// @return `name`
    public String weight(String name, DType dtype, long[] shape, LongFunction<MemorySegment> rows) {
        OnnxTensor tensor = new OnnxTensor(name, dtype, shape, null, size);
        external.add(new External(tensor, rows));
        size = Math.ceilDiv(size + tensor.bytes(), ALIGNMENT) * ALIGNMENT;
        return name;
    }

    /// A row of numbers for [#weight].
    public static MemorySegment row(float... values) {
        MemorySegment row = MemorySegment.ofArray(new byte[values.length * Float.BYTES]);
        for (int i = 0; i < values.length; i++) {
            row.set(LittleEndian.FLOAT, (long) i * Float.BYTES, values[i]);
        }
        return row;
    }

    List<External> external() {
        return Collections.unmodifiableList(external);
    }

    /// The `ModelProto`.
    ///
    /// @param producer name and version of the program
    public byte[] toBytes(String producer, String version) {
        MessageWriter graph = new MessageWriter();
        nodes.forEach(n -> graph.message(1, n.message()));
        graph.text(2, "model");
        constants.values().forEach(t -> graph.message(5, t.message()));
        external.forEach(e -> graph.message(5, e.tensor().message()));
        inputs.forEach(v -> graph.message(11, v));
        outputs.forEach(v -> graph.message(12, v));
        return new MessageWriter()
                .whole(1, IR_VERSION)
                .text(2, producer)
                .text(3, version)
                .message(7, graph)
                .message(8, operators("", OPERATORS))
                .message(8, operators(OnnxNode.CONTRIB, 1))
                .toBytes();
    }

    private static MessageWriter operators(String domain, long version) {
        return new MessageWriter().text(1, domain).whole(2, version);
    }

    /// A `ValueInfoProto`.
    private static MessageWriter value(String name, DType dtype, Object... shape) {
        MessageWriter dims = new MessageWriter();
        for (Object size : shape) {
            dims.message(
                    1,
                    size instanceof Number n
                            ? new MessageWriter().whole(1, n.longValue())
                            : new MessageWriter().text(2, size.toString()));
        }
        MessageWriter tensor =
                new MessageWriter().whole(1, OnnxTensor.number(dtype)).message(2, dims);
        return new MessageWriter().text(1, name).message(2, new MessageWriter().message(1, tensor));
    }
}
