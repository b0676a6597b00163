#!/usr/bin/env python3
"""Golden data of int8 weights with int8 dynamic activations, beside that of generate.py.

    python int8.py --seed 1 --out DIR

Writes 13_int8_w8a8.safetensors into DIR and appends its cases to DIR/index.json, or starts one. torchao's part is what
its configuration stores and multiplies after training, since it has no training for it; that of compressed-tensors are
its dynamic activations and its integers in float32 and float16, which generate.py leaves out.
"""

import argparse
import json
import os

import torch
from compressed_tensors.quantization import QuantizationArgs
from compressed_tensors.quantization.lifecycle.forward import dequantize, fake_quantize, quantize
from compressed_tensors.quantization.utils import calculate_qparams, compute_dynamic_scales_and_zp
from generate import (ALL_KINDS, BF16, F16, F32, LINEAR_KINDS, SHORT, TORCHAO, Fixture, edge_input, int_ties, versions)
from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_
from torchao.quantization.granularity import PerRow
from torchao.quantization.quant_primitives import MappingType
from torchao.quantization.quantize_.workflows.int8.int8_tensor import Int8Tensor

FILE = "13_int8_w8a8"
FORMULA = ["s = max(max(-min(x,0), max(x,0)) / 127.5, 2^-23), asymmetric (max(x,0) - min(x,0)) / 255, in the input dtype, "
           "then cast to f32", "q = clamp(rne(x*(1/s)) + zp, -128, 127) in f32; dq = (q - zp) * s cast to the input dtype"]


def stored(fx, name, scheme, role, x, mapping):
    t = Int8Tensor.from_hp(x, PerRow(), mapping_type=mapping)
    by = f"{TORCHAO} Int8Tensor.from_hp"
    c = fx.case(FILE, name, scheme, x.dtype, {"bits": 8, "mapping": mapping.name.lower(), "row_kinds": ALL_KINDS}, FORMULA)
    c.put(role, x, "generate.py edge_input").put("codes", t.qdata, by).put("scale", t.scale, by)
    c.put("zero_point", t.zero_point, by).put(role + "_dq", t.dequantize(), f"{TORCHAO} Int8Tensor.dequantize")


def torchao_cases(fx):
    cols = fx.geo["axis_cols"]
    for dtype in (F32, BF16, F16):
        name = f"int8_w8a8.w.{SHORT[dtype]}"
        w = edge_input(fx, name, ALL_KINDS, cols, cols, dtype, 127.5, int_ties(8))
        stored(fx, name, "torchao Int8DynamicActivationInt8WeightConfig weight", "w", w, MappingType.SYMMETRIC)
        for mapping in (MappingType.SYMMETRIC, MappingType.ASYMMETRIC):
            name = f"int8_w8a8.a.{mapping.name.lower()}.{SHORT[dtype]}"
            x = edge_input(fx, name, ALL_KINDS, cols, cols, dtype, 127.5, int_ties(8), (-128.0, 127.0))
            stored(fx, name, "torchao Int8DynamicActivationInt8WeightConfig activation", "x", x, mapping)
    for mapping in (MappingType.SYMMETRIC, MappingType.ASYMMETRIC):
        name = f"int8_w8a8.linear.{mapping.name.lower()}.f32"
        w = edge_input(fx, name, LINEAR_KINDS, cols, cols, F32, 127.5, int_ties(8))
        x = torch.randn(fx.geo["tokens"], cols, generator=fx.gen(name + "x"))
        model = torch.nn.Sequential(torch.nn.Linear(cols, len(LINEAR_KINDS), bias=True))
        with torch.no_grad():
            model[0].weight.copy_(w)
        b = model[0].bias.detach().copy_(torch.randn(len(LINEAR_KINDS), generator=fx.gen(name + "b")))
        quantize_(model, Int8DynamicActivationInt8WeightConfig(act_mapping_type=mapping, set_inductor_config=False))
        c = fx.case(FILE, name, "torchao Int8DynamicActivationInt8WeightConfig linear", F32,
                    {"mapping": mapping.name.lower(), "row_kinds": LINEAR_KINDS},
                    ["y is the int32 product of the codes times both scales"],
                    {"default": "bit-exact", "y": "other order of rounding: |a-b| <= 2e-6*sum|terms|"})
        c.put("x", x, "generate.py randn").put("w", w, "generate.py edge_input").put("b", b, "generate.py randn")
        c.put("y", model(x), f"{TORCHAO} Int8DynamicActivationInt8WeightConfig")


def compressed_cases(fx):
    import compressed_tensors
    lib = "compressed-tensors " + compressed_tensors.__version__
    notes = ["as ct.w8a8.linear.bf16; a token is the last dimension of a 3-D input"]
    for dtype in (F32, BF16):
        name = f"ct.int8_token.{SHORT[dtype]}"
        cols = fx.geo["axis_cols"]
        x = edge_input(fx, name, ALL_KINDS, cols, cols, dtype, 127.5, int_ties(8)).reshape(2, -1, cols)
        args = QuantizationArgs(num_bits=8, type="int", symmetric=True, strategy="token", dynamic=True)
        scale, zp = compute_dynamic_scales_and_zp(x, args, None)
        c = fx.case(FILE, name, "compressed-tensors int8 per-token activation", dtype, {"row_kinds": ALL_KINDS}, notes)
        c.put("x", x, "generate.py edge_input").put("scale", scale, f"{lib} compute_dynamic_scales_and_zp")
        c.put("x_fq", fake_quantize(x, scale, zp, args), f"{lib} fake_quantize")
    for bits, symmetric, dtype in ((4, True, F32), (4, False, F32), (4, False, F16), (8, False, BF16), (3, True, BF16)):
        name = f"ct.int{bits}.{'sym' if symmetric else 'asym'}.g32.{SHORT[dtype]}"
        half = (2 ** bits - 1) / 2
        w = edge_input(fx, name, ALL_KINDS, fx.geo["cols"], 32, dtype, half, int_ties(bits))
        args = QuantizationArgs(num_bits=bits, type="int", symmetric=symmetric, strategy="group", group_size=32)
        groups = w.reshape(w.shape[0], -1, 32)
        scale, zp = calculate_qparams(groups.amin(-1), groups.amax(-1), args)
        codes = quantize(w, scale, zp, args, dtype=torch.int8)
        by = f"{lib} calculate_qparams"
        c = fx.case(FILE, name, "compressed-tensors int weight", dtype,
                    {"bits": bits, "symmetric": symmetric, "group_size": 32, "row_kinds": ALL_KINDS}, notes[:0])
        c.put("w", w, "generate.py edge_input").put("scale", scale, by).put("zero_point", zp.to(torch.int8), by)
        c.put("codes", codes, f"{lib} quantize").put("w_dq", dequantize(codes, scale, zp, args), f"{lib} dequantize")
        c.put("w_fq", fake_quantize(w, scale, zp, args), f"{lib} fake_quantize")


def append(old, new, file):
    """Adds the cases of one index to another, with the texts that they point to."""
    for texts in ("notes", "sources"):
        old[texts] += [t for t in new[texts] if t not in old[texts]]
    for c in new["cases"]:
        c["notes"] = [old["notes"].index(new["notes"][i]) for i in c["notes"]]
        for entry in c["tensors"].values():
            entry["by"] = old["sources"].index(new["sources"][entry["by"]])
    old["cases"] = [c for c in old["cases"] if c["file"] != file + ".safetensors"] + new["cases"]
    return old


def finish(fx, file):
    """Writes the tensors and an index that keeps the cases of other files."""
    path = os.path.join(fx.out, "index.json")
    old = None
    if os.path.exists(path):
        with open(path) as f:
            old = json.load(f)
    fx.write(versions())
    if old:
        with open(path) as f:
            merged = append(old, json.load(f), file)
        with open(path, "w") as f:
            parts = []
            for key, value in merged.items():
                texts = [json.dumps(v, allow_nan=False, separators=(",", ":")) for v in value] if isinstance(value, list) else []
                whole = json.dumps(value, allow_nan=False, separators=(",", ":"))
                parts.append(f'"{key}":[\n' + ",\n".join(texts) + "\n]" if isinstance(value, list) else f'"{key}":' + whole)
            f.write("{\n" + ",\n".join(parts) + "\n}\n")
    print("wrote", len(fx.cases), "cases")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--seed", type=int, required=True)
    ap.add_argument("--out", required=True)
    args = ap.parse_args()
    fx = Fixture(args.seed, args.out)
    torchao_cases(fx)
    compressed_cases(fx)
    finish(fx, FILE)


if __name__ == "__main__":
    main()
