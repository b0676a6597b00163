"""load.py FOLDER...: loads each folder by transformers, and writes FOLDER/loaded.safetensors: what torchao decodes of
each quantized weight, and, where torchao multiplies by such weights on the CPU, what the model computes (`logits`
[S, V], float32) from IDS."""

import os
import sys

import torch
from safetensors.torch import save_file
from torchao.quantization import Float8Tensor, Int4Tensor
from torchao.utils import TorchAOBaseTensor
from transformers import AutoModelForCausalLM

IDS = torch.arange(3, 27)[None]


def values(weight):
    if not isinstance(weight, Int4Tensor):
        return weight.dequantize().contiguous().clone()
    # torchao has no decoder for it: MSLK's bf16i4bf16_rowwise multiplies by q * scale + zero_point, the low nibble first.
    q = torch.stack([weight.qdata << 4 >> 4, weight.qdata >> 4], -1).flatten(1).float()
    group = weight.block_size[1]
    scale, zero = (t.float().T.repeat_interleave(group, 1) for t in (weight.scale, weight.zero_point))
    return (q * scale + zero).to(weight.dtype).contiguous()


def main(folders):
    torch.set_num_threads(1)
    for folder in folders:
        model, info = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", output_loading_info=True)
        if any(info.values()):
            raise SystemExit(f"{folder}: {info}")
        weights = {n: p.data for n, p in model.named_parameters() if isinstance(p.data, TorchAOBaseTensor)}
        out = {name: values(weight) for name, weight in weights.items()}
        if not any(isinstance(weight, (Float8Tensor, Int4Tensor)) for weight in weights.values()):
            with torch.no_grad():
                out["logits"] = model(input_ids=IDS).logits[0].float().contiguous()
        save_file(out, os.path.join(folder, "loaded.safetensors"))


main(sys.argv[1:])
