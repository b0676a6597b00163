/// Kernels over tensor memory, each with its specification in plain Java and a form in aten operators for any device.
///
/// Quantization: [dev.halftone.kernel.GridKernel] is what an implementation does, [dev.halftone.kernel.Kernels] names
/// the three and chooses one, [dev.halftone.kernel.StraightThrough] puts fake quantization into an autograd graph.
/// They agree bit for bit with the [dev.halftone.quant.Oracle] of a grid, which specifies the formulas.
///
/// Generating: [dev.halftone.kernel.RowMatrix] multiplies one row by a matrix as it lies in memory, packed or not.
@NullMarked
package dev.halftone.kernel;

import org.jspecify.annotations.NullMarked;
