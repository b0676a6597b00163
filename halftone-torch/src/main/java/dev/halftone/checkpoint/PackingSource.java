package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.format.compressed.CompressedTensors;
import dev.halftone.kernel.PackedMatrix;
import dev.halftone.nn.FrozenWeight;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.ParameterSource;
import dev.halftone.nn.Weight;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Scope;

/// The weights of a float checkpoint, packed one by one as they are read, so that no more than one of them is in
/// memory in float. The embedding table stays as it is.
record PackingSource(ParameterSource floats, DType computeDtype, Packing packing) implements ParameterSource {
    @Override
    public Parameter parameter(String name, long... shape) {
        return floats.parameter(name, shape);
    }

    @Override
    public Weight weight(String name, long... shape) {
        Parameter p = floats.parameter(name, shape);
        if (name.equals(CompressedTensors.TABLE + ".weight")) {
            return p;
        }
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            PackedMatrix packed = packing.pack(
                    name.substring(0, name.lastIndexOf('.')), p.master().detach());
            if (packed == null) {
                return p;
            }
            FrozenWeight frozen = new FrozenWeight(packed, p.dtype(), computeDtype);
            p.close();
            return frozen;
        }
    }
}
