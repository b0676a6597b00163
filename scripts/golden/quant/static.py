#!/usr/bin/env python3
"""Golden data of static activations, one scale a tensor, beside that of generate.py.

    python static.py --seed 1 --out DIR

Writes 14_static_activations.safetensors into DIR and appends its cases to DIR/index.json, or starts one. The scale comes
from `c`, what a calibration sees; `x`, which it did not see, is quantized with it, and some of it lies beyond the range.
"""

import argparse

import torch
from compressed_tensors.quantization import QuantizationArgs
from compressed_tensors.quantization.lifecycle.forward import fake_quantize
from compressed_tensors.quantization.utils import calculate_qparams
from generate import ALL_KINDS, BF16, F16, F32, LINEAR_KINDS, SHORT, TORCHAO, Fixture, edge_input, int_ties
from int8 import finish
from torchao.quantization import Int8StaticActivationInt8WeightConfig, quantize_
from torchao.quantization.granularity import PerRow, PerTensor
from torchao.quantization.quant_primitives import MappingType
from torchao.quantization.quantize_.workflows.int8.int8_tensor import Int8Tensor

FILE = "14_static_activations"
CONFIG = "torchao Int8StaticActivationInt8WeightConfig"
NOTES = ["scale and zero point are those of c"]


def seen(fx, name, dtype, cols):
    """What calibration sees: not symmetric about 0."""
    return (torch.randn(5, cols, generator=fx.gen(name + "c")) + 0.25).to(dtype)


def torchao_cases(fx):
    cols = fx.geo["axis_cols"]
    for mapping in (MappingType.SYMMETRIC, MappingType.ASYMMETRIC):
        for dtype in (F32, BF16, F16):
            name = f"static.int8.{mapping.name.lower()}.{SHORT[dtype]}"
            c = seen(fx, name, dtype, cols)
            x = edge_input(fx, name, ALL_KINDS, cols, cols, dtype, 127.5, int_ties(8))
            by = f"{TORCHAO} Int8Tensor.from_hp"
            found = Int8Tensor.from_hp(c, PerTensor(), mapping_type=mapping)
            t = Int8Tensor.from_hp(x, PerTensor(), mapping_type=mapping, scale=found.scale, zero_point=found.zero_point)
            case = fx.case(FILE, name, CONFIG + " activation", dtype,
                           {"mapping": mapping.name.lower(), "row_kinds": ALL_KINDS}, NOTES)
            case.put("c", c, "generate.py randn").put("x", x, "generate.py edge_input")
            case.put("scale", t.scale, by).put("zero_point", t.zero_point, by).put("codes", t.qdata, by)
            case.put("x_dq", t.dequantize(), f"{TORCHAO} Int8Tensor.dequantize")
        name = f"static.int8.linear.{mapping.name.lower()}.f32"
        w = edge_input(fx, name, LINEAR_KINDS, cols, cols, F32, 127.5, int_ties(8))
        c = seen(fx, name, F32, cols)
        x = 1.5 * torch.randn(fx.geo["tokens"], cols, generator=fx.gen(name + "x"))
        model = torch.nn.Sequential(torch.nn.Linear(cols, len(LINEAR_KINDS), bias=True))
        with torch.no_grad():
            model[0].weight.copy_(w)
        b = model[0].bias.detach().copy_(torch.randn(len(LINEAR_KINDS), generator=fx.gen(name + "b")))
        found = Int8Tensor.from_hp(c, PerTensor(), mapping_type=mapping)
        quantize_(model, Int8StaticActivationInt8WeightConfig(
            act_quant_scale=found.scale, act_quant_zero_point=found.zero_point, granularity=[PerTensor(), PerRow()],
            act_mapping_type=mapping, set_inductor_config=False))
        case = fx.case(FILE, name, CONFIG + " linear", F32, {"mapping": mapping.name.lower(), "row_kinds": LINEAR_KINDS},
                       NOTES + ["y is the int32 product of the codes times both scales"],
                       {"default": "bit-exact", "y": "other order of rounding: |a-b| <= 2e-6*sum|terms|"})
        case.put("c", c, "generate.py randn").put("x", x, "generate.py randn")
        case.put("w", w, "generate.py edge_input").put("b", b, "generate.py randn").put("y", model(x), CONFIG)


def compressed_cases(fx):
    import compressed_tensors
    lib = "compressed-tensors " + compressed_tensors.__version__
    cols = fx.geo["axis_cols"]
    for kind in ("int", "float"):
        for dtype in (F32, BF16):
            name = f"static.ct.{kind}8.{SHORT[dtype]}"
            c = seen(fx, name, dtype, cols)
            x = edge_input(fx, name, ALL_KINDS, cols, cols, dtype, 127.5, int_ties(8))
            args = QuantizationArgs(num_bits=8, type=kind, symmetric=True, strategy="tensor", dynamic=False)
            scale, zp = calculate_qparams(c.amin().reshape(1), c.amax().reshape(1), args)
            case = fx.case(FILE, name, f"compressed-tensors static {kind}8 activation", dtype,
                           {"row_kinds": ALL_KINDS}, NOTES)
            case.put("c", c, "generate.py randn").put("x", x, "generate.py edge_input")
            case.put("scale", scale, f"{lib} calculate_qparams")
            case.put("x_fq", fake_quantize(x, scale, zp, args), f"{lib} fake_quantize")


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
