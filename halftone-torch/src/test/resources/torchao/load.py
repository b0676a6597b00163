"""load.py FOLDER...: loads each folder by transformers, and writes FOLDER/loaded.safetensors: what its model computes
(`logits` [S, V], float32) from `ids`, and what torchao decodes of each of its quantized weights."""

import os
import sys

import torch
from safetensors.torch import save_file
from torchao.utils import TorchAOBaseTensor
from transformers import AutoModelForCausalLM

IDS = torch.arange(3, 27)[None]


def main(folders):
    torch.set_num_threads(1)
    for folder in folders:
        model, info = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", output_loading_info=True)
        if any(info.values()):
            raise SystemExit(f"{folder}: {info}")
        weights = {
            name: p.data.dequantize().contiguous().clone()
            for name, p in model.named_parameters()
            if isinstance(p.data, TorchAOBaseTensor)
        }
        with torch.no_grad():
            logits = model(input_ids=IDS).logits[0].float().contiguous()
        save_file(weights | {"logits": logits}, os.path.join(folder, "loaded.safetensors"))


main(sys.argv[1:])
