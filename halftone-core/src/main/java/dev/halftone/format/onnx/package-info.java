/// ONNX models, as `onnx.proto3` lays them out: a graph of operators in a file of its own, its weights in
/// another.
///
/// [dev.halftone.format.onnx.OnnxGraph] collects what a model computes, [dev.halftone.format.onnx.OnnxWriter]
/// writes it, [dev.halftone.format.onnx.OnnxFile] reads it again. [dev.halftone.format.onnx.NBits] has the
/// layout of quantized weights, [dev.halftone.format.onnx.OnnxSchemes] tells what fits.
@NullMarked
package dev.halftone.format.onnx;

import org.jspecify.annotations.NullMarked;
