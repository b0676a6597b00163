package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.format.safetensors.SafetensorsWriter;
import dev.halftone.format.safetensors.TensorInfo;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Tensors on their way into safetensors files and out of them.
final class TensorFiles {
    private TensorFiles() {}

    /// Entries for a writer, which reads them one after the other: what had to be converted or fetched from a
    /// device for one is freed when the next is asked for.
    static final class Source implements AutoCloseable {
        private @Nullable Tensor current;

        /// @param dtype what the file is to hold, converted where the tensor has another
        SafetensorsWriter.Entry entry(String name, Tensor tensor, DType dtype) {
            return entry(name, dtype, Torch.shape(tensor), () -> tensor);
        }

        /// The same for a tensor that is only made when it is due.
        SafetensorsWriter.Entry entry(String name, DType dtype, long[] shape, Supplier<Tensor> tensor) {
            return new SafetensorsWriter.Entry(name, dtype, shape, () -> bytes(tensor, dtype));
        }

        private MemorySegment bytes(Supplier<Tensor> tensor, DType dtype) {
            close();
            try (Scope _ = Scope.open();
                    NoGrad _ = NoGrad.open()) {
                current = Scope.own(Ops.to(tensor.get().detach(), dtype).cpu().contiguous());
                return Torch.memory(current);
            }
        }

        @Override
        public void close() {
            if (current != null) {
                current.close();
                current = null;
            }
        }
    }

    /// Writes tensors in their own dtypes.
    static void write(Path file, Map<String, Tensor> tensors) {
        try (Source source = new Source()) {
            List<SafetensorsWriter.Entry> entries = tensors.entrySet().stream()
                    .map(e -> source.entry(e.getKey(), e.getValue(), Torch.dtype(e.getValue())))
                    .toList();
            SafetensorsWriter.write(file, Map.of(), entries);
        }
    }

    /// Copies a file's tensors into `tensors`, which must have the same names, shapes and dtypes.
    ///
    /// @throws InputException if they differ
    static void read(Path file, Map<String, Tensor> tensors) {
        try (SafetensorsFile in = SafetensorsFile.open(file)) {
            if (!in.tensors().keySet().equals(tensors.keySet())) {
                throw mismatch(
                        file,
                        "it holds %d tensors where the model has %d, or others"
                                .formatted(in.tensors().size(), tensors.size()));
            }
            tensors.forEach((name, to) -> {
                TensorInfo info = in.info(name);
                if (info.dtype() != Torch.dtype(to) || !Arrays.equals(info.shape(), Torch.shape(to))) {
                    throw mismatch(
                            file,
                            "%s is %s%s there and %s%s in the model"
                                    .formatted(
                                            name,
                                            info.dtype(),
                                            Arrays.toString(info.shape()),
                                            Torch.dtype(to),
                                            Arrays.toString(Torch.shape(to))));
                }
                try (Scope _ = Scope.open();
                        NoGrad _ = NoGrad.open()) {
                    to.detach().copy_(Torch.of(in.data(name), info.dtype(), info.shape()));
                }
            });
        }
    }

    private static InputException mismatch(Path file, String what) {
        return new InputException("%s does not belong to this run: %s. Resume with the configuration that wrote it."
                .formatted(file, what));
    }
}
