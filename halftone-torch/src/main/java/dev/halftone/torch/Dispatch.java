package dev.halftone.torch;

import java.util.List;
import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.GenericList;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorType;
import org.bytedeco.pytorch.Type;
import org.jspecify.annotations.Nullable;

/// Calls any operator by its schema name, mapped by bytedeco or not.
public final class Dispatch {
    private Dispatch() {}

    /// Calls `aten::<name>.<overload>` with its arguments in schema order.
    ///
    /// @param arguments `Tensor`, `List<Tensor>`, `Long`, `Double`, `Boolean`, or null for an absent optional
    /// @return what the operator returns, one stack entry each
    public static IValueVector call(String name, String overload, @Nullable Object... arguments) {
        Torch.load();
        IValueVector stack = new IValueVector();
        for (Object argument : arguments) {
            stack.push_back(value(argument));
        }
        Dispatcher.singleton().findSchemaOrThrow("aten::" + name, overload).callBoxed(stack);
        return stack;
    }

    private static IValue value(@Nullable Object argument) {
        return switch (argument) {
            case null -> new IValue();
            case Tensor t -> new IValue(t);
            case Long l -> new IValue(l.longValue());
            case Double d -> new IValue(d.doubleValue());
            case Boolean b -> new IValue(b.booleanValue());
            case List<?> list -> {
                // `new IValue(TensorVector)` and `new GenericList(TensorType.get())` compile too, take the overload for
                // any
                // Pointer, and fail or crash later. Only this form is sound.
                GenericList tensors = new GenericList(new Type.TypePtr(TensorType.get()));
                for (Object t : list) {
                    tensors.push_back(new IValue((Tensor) t));
                }
                yield new IValue(tensors);
            }
            default -> throw new IllegalArgumentException("no operator argument: " + argument.getClass());
        };
    }
}
