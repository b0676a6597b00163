#!/usr/bin/env python3
"""Products of quantized weights in onnxruntime: how exact and how fast the ways are that a graph can write them in.

    pip install numpy onnx onnxruntime
    python bench/onnx_products.py

Prints for each way the largest error relative to the largest output, and the time of a product with one row and with
64. The matrix is the head of SmolLM2-135M, 49152 by 576.
"""

import time

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

N, K, BLOCK = 49152, 576, 32
RNG = np.random.default_rng(0)


def session(nodes, constants):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", K])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", N])
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    graph = helper.make_graph(nodes, "product", [x], [y], constants)
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def mat_mul_n_bits(bits):
    half, per_byte = 1 << (bits - 1), 8 // bits
    codes = RNG.integers(-half, half, (N, K))
    scale = RNG.uniform(1e-3, 1e-2, (N, K // BLOCK)).astype(np.float32)
    packed = np.zeros((N, K // per_byte), np.uint8)
    for i in range(per_byte):
        packed |= ((codes[:, i::per_byte] + half) << bits * i).astype(np.uint8)
    node = helper.make_node(
        "MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft",
        K=K, N=N, bits=bits, block_size=BLOCK, accuracy_level=1,
    )
    constants = [numpy_helper.from_array(packed.reshape(N, K // BLOCK, -1), "w"), numpy_helper.from_array(scale, "s")]
    return session([node], constants), codes * np.repeat(scale.astype(np.float64), BLOCK, 1)


def dequantize_linear():
    codes = RNG.integers(-128, 128, (N, K)).astype(np.int8)
    scale = RNG.uniform(1e-3, 1e-2, N).astype(np.float32)
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["d"], axis=0),
        helper.make_node("Transpose", ["d"], ["t"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "t"], ["y"]),
    ]
    constants = [numpy_helper.from_array(codes, "w"), numpy_helper.from_array(scale, "s")]
    return session(nodes, constants), codes * scale.astype(np.float64)[:, None]


def milliseconds(run, x):
    run.run(None, {"x": x})
    start = time.perf_counter()
    for _ in range(10):
        run.run(None, {"x": x})
    return (time.perf_counter() - start) * 100


def main():
    ort.set_default_logger_severity(3)
    print(f"onnxruntime {ort.__version__}")
    ways = {f"MatMulNBits, {bits} bits": lambda bits=bits: mat_mul_n_bits(bits) for bits in (2, 4, 8)}
    ways["DequantizeLinear, int8 rows"] = dequantize_linear
    for name, make in ways.items():
        run, weights = make()
        x = RNG.standard_normal((64, K)).astype(np.float32)
        expected = x.astype(np.float64) @ weights.T
        error = np.abs(run.run(None, {"x": x})[0] - expected).max() / np.abs(expected).max()
        one, many = milliseconds(run, x[:1]), milliseconds(run, x)
        print(f"{name:28} error {error:.1e}   one row {one:6.1f} ms   64 rows {many:6.1f} ms")


if __name__ == "__main__":
    main()
