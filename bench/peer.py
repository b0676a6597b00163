"""One measurement of a Python peer in a process of its own; bench.py starts it.

    peer.py prepare '{"model": …, "texts": …, "seq": …, "rows": …, "tokens": …, "adapter": …}'
    peer.py train '{"model": …, "peer": "full|8da4w|int4wo|lora|8da4w_lora", …}'      prints one JSON document

The peers are used as their documentation shows: transformers' model with its own attention, torchao's QATConfig, peft
around the linear layers, fake quantized or not (what torchtune's QAT+LoRA is), and the fastest AdamW that torch has.
"""
import json
import os
import sys
import time

import torch

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def prepare(job):
    """Writes rows of token ids, and adapters to begin with: both sides read the same files."""
    if not os.path.exists(job["tokens"]):
        from tokenizers import Tokenizer
        tokenizer = Tokenizer.from_file(os.path.join(job["model"], "tokenizer.json"))
        ids = []
        for name in sorted(os.listdir(job["texts"])):
            if len(ids) >= job["rows"] * job["seq"]:
                break
            with open(os.path.join(job["texts"], name), encoding="utf-8") as f:
                ids += tokenizer.encode(f.read()).ids
        rows = [ids[i * job["seq"]:(i + 1) * job["seq"]] for i in range(job["rows"])]
        with open(job["tokens"] + ".tmp", "w", encoding="utf-8") as f:
            f.writelines(json.dumps({"input_ids": row}) + "\n" for row in rows)
        os.rename(job["tokens"] + ".tmp", job["tokens"])
    if not os.path.exists(job["adapter"]):
        from peft import LoraConfig, get_peft_model
        torch.manual_seed(1)
        model = get_peft_model(load(job["model"], torch.float32), LoraConfig(
            r=8, lora_alpha=16, lora_dropout=0.0, bias="none", target_modules=PROJECTIONS))
        model.save_pretrained(job["adapter"])


def load(folder, dtype):
    from transformers import AutoModelForCausalLM
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)


def fake_quantize(model, scheme):
    """Every linear layer but the head."""
    from torchao.quantization import Int4WeightOnlyConfig, Int8DynamicActivationIntxWeightConfig, PerGroup, quantize_
    from torchao.quantization.qat import QATConfig
    base = {"8da4w": lambda: Int8DynamicActivationIntxWeightConfig(
                weight_dtype=torch.int4, weight_granularity=PerGroup(32)),
            "int4wo": lambda: Int4WeightOnlyConfig(group_size=32)}[scheme]()
    quantize_(model, QATConfig(base, step="prepare"),
              filter_fn=lambda module, name: isinstance(module, torch.nn.Linear) and name != "lm_head")


def build(job):
    model = load(job["model"], {"bf16": torch.bfloat16, "fp32": torch.float32}[job["dtype"]])
    model.config.use_cache = False
    for scheme in ("8da4w", "int4wo"):
        if scheme in job["peer"]:
            fake_quantize(model, scheme)
    if "lora" in job["peer"]:
        from peft import PeftModel
        # Adapters in the dtype of the model, as ours; peft by itself keeps them in float32.
        model = PeftModel.from_pretrained(model, job["adapter"], is_trainable=True, autocast_adapter_dtype=False)
    if job["checkpointing"]:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model.train()


def peak_bytes():
    """The highest resident memory of this process so far."""
    with open("/proc/self/status", encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM:"))


def train(job):
    torch.set_num_threads(job["threads"])
    torch.manual_seed(1)
    with open(job["tokens"], encoding="utf-8") as f:
        rows = torch.tensor([json.loads(line)["input_ids"] for line in f])
    model = build(job)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=job["lr"], weight_decay=0.01, fused=True)
    forward = torch.compile(model) if job["compile"] else model
    seconds, losses = [], []
    for step in range(job["steps"]):
        start = time.perf_counter()
        ids = rows[step * job["batch"]:(step + 1) * job["batch"]]
        loss = forward(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)
        print("step %d: loss %.4f, %.2f s" % (step + 1, losses[-1], seconds[-1]), file=sys.stderr, flush=True)
    print(json.dumps({"seconds": seconds, "losses": losses, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    {"prepare": prepare, "train": train}[sys.argv[1]](json.loads(sys.argv[2]))
