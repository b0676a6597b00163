package dev.halftone.kernel;

import org.bytedeco.pytorch.Tensor;

/// Fake quantization of tensors that notes what their gradient needs, which is less than the values.
///
/// The same bits as [GridKernel#fakeQuantize] and [GridKernel#gradient].
public interface GradientNotes {
    /// Whether it can take notes of `x`, too: of another shape than before, if it has the room.
    boolean fits(Tensor x);

    /// Writes to `out` what remains of `x` after quantization. The notes replace earlier ones.
    ///
    /// @param out contiguous, of the shape and dtype of `x`
    void fakeQuantize(Tensor x, Tensor out);

    /// Writes to `out` the gradient of the latest `x` from that of its fake-quantized values.
    ///
    /// @param out contiguous, of the shape and dtype of `upstream`; may be `upstream` itself
    void gradient(Tensor upstream, Tensor out);
}
