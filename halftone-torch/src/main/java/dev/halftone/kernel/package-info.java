/// Kernels over tensor memory, each with its specification in plain Java and a form in aten operators for any device.
///
/// Quantization: [dev.halftone.kernel.IntxKernel] is what an implementation does, [dev.halftone.kernel.Kernels] names
/// the three and chooses one, [dev.halftone.kernel.StraightThrough] puts fake quantization into an autograd graph.
/// They agree bit for bit with [dev.halftone.quant.IntxOracle], which specifies the formulas.
@NullMarked
package dev.halftone.kernel;

import org.jspecify.annotations.NullMarked;
