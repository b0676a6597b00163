#!/usr/bin/env python3
"""Golden data of llama.cpp's 8-bit activations, beside that of generate.py.

    python gguf_activations.py --seed 1 --out DIR

Needs `pip install xllamacpp`: llama.cpp as a Python package, whose library lets its C functions be called. They are
those of the processor that this runs on: an x86 with AVX. Writes 15_gguf_activations.safetensors into DIR and appends
its cases to DIR/index.json, or starts one.
"""

import argparse
import ctypes
import glob
import os
from importlib.metadata import version

import numpy as np
import torch
import xllamacpp
from generate import ALL_KINDS, F32, Fixture, edge_input
from int8 import finish

FILE = "15_gguf_activations"
# Bytes of a block, values in it, and where the scale, as which type, and the codes are.
BLOCKS = {"q8_0": (34, 32, 0, np.float16, 2), "q8_1": (36, 32, 0, np.float16, 4), "q8_K": (292, 256, 0, np.float32, 4)}
NOTES = ["a = max|x|, i = 127/a, 0 where a is 0; q = rne(x*i)",
         "the scale is a/127 rounded to float16; q8_K: 1/i in float32",
         "q8_K has the sign of the block's extreme in scale and codes: here both are given with a positive scale",
         "x_fq = q * scale in float32"]


def quantized(row, name, x):
    size, block, at, scale, codes = BLOCKS[name]
    flat = np.ascontiguousarray(x.numpy(), dtype=np.float32)
    raw = np.zeros(flat.size // block * size, dtype=np.uint8)
    row(ctypes.c_void_p(flat.ctypes.data), ctypes.c_void_p(raw.ctypes.data), ctypes.c_int64(flat.size))
    raw = raw.reshape(-1, size)
    d = np.ascontiguousarray(raw[:, at:at + np.dtype(scale).itemsize]).view(scale)
    q = np.ascontiguousarray(raw[:, codes:codes + block]).view(np.int8)
    sign = np.where(d < 0, -1, 1).astype(np.int8)
    shape = (x.shape[0], x.shape[1] // block)
    return torch.from_numpy((q * sign).reshape(x.shape)), torch.from_numpy((d * sign.astype(scale)).reshape(shape))


def halves(g, blocks, block):
    """Blocks whose values lie within a few last bits of the middle between two codes: there it shows how the factor
    and the product are rounded."""
    amax = torch.rand(blocks, 1, generator=g) + 0.5
    x = (torch.randint(-126, 126, (blocks, block), generator=g).double() + 0.5) * (amax.double() / 127)
    x = x.float() * (1 + torch.randint(-2, 3, x.shape, generator=g) * 2.0 ** -24)
    x[:, :1] = amax
    return x


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--seed", type=int, required=True)
    ap.add_argument("--out", required=True)
    args = ap.parse_args()
    fx = Fixture(args.seed, args.out)
    library = ctypes.CDLL(glob.glob(os.path.join(os.path.dirname(xllamacpp.__file__), "*.so"))[0])
    library.ggml_cpu_init()  # fills the tables of float16 numbers
    by = f"xllamacpp {version('xllamacpp')} "
    for name, (_, block, *_) in BLOCKS.items():
        x = edge_input(fx, "gguf_activations/" + name, [k for k in ALL_KINDS if k != "tiny"], 2 * block, block, F32, 127.0,
                       [k + 0.5 for k in range(-64, 64)])
        more = halves(fx.gen("gguf_activations/halves/" + name), 2048 // block, block)
        x = torch.cat([x, more.reshape(-1, 2 * block)])
        codes, scale = quantized(getattr(library, "quantize_row_" + name), name, x)
        c = fx.case(FILE, f"gguf_activations.{name.lower()}", f"GGUF activation {name.upper()}", F32, {"block": block}, NOTES)
        c.put("x", x, "generate.py edge_input, halves").put("codes", codes, by + "quantize_row_" + name)
        c.put("scale", scale, by + "quantize_row_" + name)
        values = codes.float().reshape(*scale.shape, block) * scale.float().unsqueeze(-1)
        c.put("x_fq", values.reshape(x.shape), "formula: q * scale")
    finish(fx, FILE)


if __name__ == "__main__":
    main()
