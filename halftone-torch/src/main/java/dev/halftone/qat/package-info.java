/// Quantization-aware training and post-training quantization of any module tree.
///
/// [dev.halftone.qat.Qat] is the whole of it: `prepare` makes linear layers train against the grid of a scheme,
/// `convert` replaces their weights by codes and scales, and `quantize` does so without training. What they put
/// into a layer are stages that [dev.halftone.nn.Linear] has room for: an
/// [dev.halftone.qat.IntxWeightFakeQuantizer] or a [dev.halftone.qat.QuantizedWeight], and an
/// [dev.halftone.qat.Int8TokenFakeQuantizer].
///
/// Tensor suffixes: N output features, K input features, G groups in a row.
@NullMarked
package dev.halftone.qat;

import org.jspecify.annotations.NullMarked;
