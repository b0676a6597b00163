/// The boundary to libtorch: everything that JavaCPP makes awkward or dangerous is behind these classes.
///
/// - [dev.halftone.torch.Scope]: when native memory is freed.
/// - [dev.halftone.torch.Torch]: start-up, threads, moving data between Java and tensors.
/// - [dev.halftone.torch.Ops]: the operators that models are written with.
///
/// The rest of Halftone uses bytedeco's `Tensor` and these classes, and nothing else of JavaCPP; only the
/// kernel package reaches deeper.
@NullMarked
package dev.halftone.torch;

import org.jspecify.annotations.NullMarked;
