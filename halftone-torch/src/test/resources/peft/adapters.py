"""PEFT and transformers on adapters, in float32.

adapters.py < [{"model": FOLDER, "adapter": FOLDER, "config": {...} or none}, ...]

Where there is a config, writes the adapter first: PEFT's own of that LoraConfig, with random numbers. Then loads each
onto its model and writes ADAPTER/peft.safetensors: `logits` [S, V] of IDS, and the weights of the merged model."""

import json
import os
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

IDS = torch.arange(3, 27)[None]


def base(path):
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()


def write(model, adapter, config):
    torch.manual_seed(1)
    model = get_peft_model(base(model), LoraConfig(task_type="CAUSAL_LM", **config))
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.normal_(0, 0.1)
            elif "lora_magnitude" in name:
                p.mul_(1 + 0.2 * torch.randn_like(p))
    model.save_pretrained(adapter)


torch.set_num_threads(1)
for job in json.load(sys.stdin):
    if job.get("config"):
        write(job["model"], job["adapter"], job["config"])
    model = PeftModel.from_pretrained(base(job["model"]), job["adapter"]).eval()
    with torch.no_grad():
        out = {"logits": model(input_ids=IDS).logits[0].contiguous()}
    merged = model.merge_and_unload()
    out.update((name, p.detach().clone().contiguous()) for name, p in merged.named_parameters())
    save_file(out, os.path.join(job["adapter"], "peft.safetensors"))
