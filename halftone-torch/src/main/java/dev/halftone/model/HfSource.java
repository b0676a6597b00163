package dev.halftone.model;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.format.safetensors.TensorInfo;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.ParameterSource;
import dev.halftone.torch.Device;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Parameters out of a Hugging Face folder, converted to one dtype. The folder may be closed once the model is built.
public final class HfSource implements ParameterSource {
    private final HfFolder folder;
    private final DType dtype;
    private final Device device;
    private final Set<String> taken = new HashSet<>();

    public HfSource(HfFolder folder, DType dtype, Device device) {
        this.folder = folder;
        this.dtype = dtype;
        this.device = device;
    }

    @Override
    public Parameter parameter(String name, long... shape) {
        if (!folder.has(name)) {
            throw new InputException(
                    "%s: config.json asks for a tensor '%s' %s, which the weights do not have. Take both from the same place."
                            .formatted(folder.dir(), name, Arrays.toString(shape)));
        }
        TensorInfo info = folder.info(name);
        if (!Arrays.equals(info.shape(), shape)) {
            throw new InputException(
                    "%s: tensor '%s' is %s, but config.json asks for %s. Take both from the same place."
                            .formatted(folder.file(name), name, Arrays.toString(info.shape()), Arrays.toString(shape)));
        }
        if (!info.dtype().isFloat()) {
            throw new InputException(
                    "%s: tensor '%s' is %s, but a weight must be a floating point number. Give the unquantized model."
                            .formatted(folder.file(name), name, info.dtype()));
        }
        taken.add(name);
        try (Scope _ = Scope.open()) {
            return new Parameter(Ops.to(Ops.to(Torch.of(folder.data(name), info.dtype(), shape), dtype), device));
        }
    }

    /// Checks that the model took all that the folder holds: a tensor left over is a part of the model that would be
    /// silently missing.
    ///
    /// @param spare names, or ends of names, that may be left over
    /// @throws InputException if there is any other
    public void requireAllTaken(List<String> spare) {
        List<String> left = folder.tensorNames().stream()
                .filter(name -> !taken.contains(name) && spare.stream().noneMatch(name::endsWith))
                .toList();
        if (!left.isEmpty()) {
            throw new InputException(
                    "%s: the weights have %d tensors that the model of config.json does not, the first is '%s'. Take both from the same place."
                            .formatted(folder.dir(), left.size(), left.getFirst()));
        }
    }
}
