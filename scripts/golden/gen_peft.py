"""PEFT's adapters on the tiny Llama of `curves`, and what PEFT computes with them; and the way back.

  gen_peft.py --seed 1 --model curves/model --out peft      writes <kind>/adapter_config.json, adapter_model.safetensors
                                                            and logits.safetensors: ids [S], logits [S, V]
  gen_peft.py --model curves/model --check RUN              loads RUN/adapter_0 onto the model, and compares its logits
                                                            with those of the merged RUN/epoch_0, both by transformers
"""
import argparse
import json
import os

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

KINDS = {
    "lora": dict(target_modules=["q_proj", "down_proj"]),
    "rslora": dict(target_modules=["k_proj", "lm_head"], use_rslora=True),
    "dora": dict(target_modules=["v_proj", "o_proj", "gate_proj"], use_dora=True),
}
IDS = torch.arange(3, 27)[None]


def base(path):
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS).logits[0]


def generate(args):
    for kind, settings in KINDS.items():
        torch.manual_seed(args.seed)
        model = get_peft_model(base(args.model), LoraConfig(r=4, lora_alpha=6, task_type="CAUSAL_LM", **settings)).eval()
        with torch.no_grad():
            for name, p in model.named_parameters():
                if "lora_B" in name:
                    p.normal_(0, 0.1)
                elif "lora_magnitude" in name:
                    p.mul_(1 + 0.2 * torch.randn_like(p))
        out = os.path.join(args.out, kind)
        model.save_pretrained(out)
        os.remove(os.path.join(out, "README.md"))
        config = os.path.join(out, "adapter_config.json")
        with open(config) as f:
            c = json.load(f)
        c["base_model_name_or_path"] = "model"
        with open(config, "w") as f:
            json.dump(c, f, indent=2, sort_keys=True)
        save_file({"ids": IDS[0], "logits": logits(model)}, os.path.join(out, "logits.safetensors"))


def check(args):
    adapted = PeftModel.from_pretrained(base(args.model), os.path.join(args.check, "adapter_0")).eval()
    difference = (logits(adapted) - logits(base(os.path.join(args.check, "epoch_0")))).abs().max().item()
    plain = (logits(adapted) - logits(base(args.model))).abs().max().item()
    print("adapter on the model against the merged model: %.3g; against the model alone: %.3g" % (difference, plain))
    assert difference < 1e-4 < plain


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out")
    parser.add_argument("--check")
    arguments = parser.parse_args()
    check(arguments) if arguments.check else generate(arguments)
