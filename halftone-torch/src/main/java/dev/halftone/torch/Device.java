package dev.halftone.torch;

import dev.halftone.InputException;
import org.bytedeco.pytorch.global.torch;

/// Where tensors live: the CPU or a CUDA device.
///
/// @param name as libtorch writes it: `cpu`, `cuda` (the current one) or `cuda:N`
public record Device(String name) {
    public static final Device CPU = new Device("cpu");

    /// The device that `name` means on this machine.
    ///
    /// @throws InputException if the name means nothing, or there is no such device here
    public static Device parse(String name) {
        if (name.equals("cpu")) {
            return CPU;
        }
        if (!name.matches("cuda(:\\d{1,3})?")) {
            throw new InputException("device: '%s' is not a device. Use cpu, cuda or cuda:N.".formatted(name));
        }
        Torch.load();
        if (!torch.hasCUDA()) {
            throw new InputException(
                    "device: '%s' was asked for, but this build of libtorch sees no CUDA device.".formatted(name)
                            + " Use device=cpu, or put the linux-x86_64-gpu natives on the class path.");
        }
        return new Device(name);
    }

    /// libtorch's own value, in the innermost scope.
    org.bytedeco.pytorch.Device handle() {
        Torch.load();
        return new org.bytedeco.pytorch.Device(name);
    }
}
