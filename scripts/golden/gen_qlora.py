"""NF4 by torchao, and loss curves of QLoRA over it, as torchtune computes it: y = linear_nf4(x, W) + s * (x A^T) B^T.

Files in --out
  nf4.safetensors       <case>.input, and of to_nf4(input): .codes, .scales, .factors, .mean, .values (get_original_weight)
  model/                a tiny Llama whose matrices have whole blocks of scales, bfloat16
  adapter/              the factors that training begins with, in PEFT's format
  curves.json           loss and gradient norm of every step, on the batches of --curves
"""
import torch.nn.functional as F

from common import *

PROJ = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def nf4_cases(out):
    from torchao.quantization.quantize_.workflows.nf4.nf4_tensor import to_nf4
    tensors = {}
    # The sum of these scales is exact in float32, so that it does not depend on the order of summation.
    x = (torch.randn(256, 128) * 0.7 * 1024).round() / 1024
    x[3, :64] = 0
    x[5, :64] *= 8
    for name, w in (("f32", x), ("bf16", torch.randn(256, 128).bfloat16() * 0.1), ("equal", torch.full((128, 128), 0.5).bfloat16())):
        q = to_nf4(w)
        for part, t in (("input", w), ("codes", q.quantized_data), ("scales", q.quantized_scalers),
                        ("factors", q.quantization_factor), ("mean", q.scaler_mean.view(1)),
                        ("values", q.get_original_weight())):
            tensors[name + "." + part] = t.contiguous()
    save_st(os.path.join(out, "nf4.safetensors"), tensors)


class QLoRALinear(torch.nn.Module):
    def __init__(self, lin, a, b, scaling):
        super().__init__()
        from torchao.quantization.quantize_.workflows.nf4.nf4_tensor import to_nf4
        self.w = to_nf4(lin.weight.detach())
        self.lora_A, self.lora_B = torch.nn.Parameter(a.clone()), torch.nn.Parameter(b.clone())
        self.scaling = scaling

    def forward(self, x):
        from torchao.quantization.quantize_.workflows.nf4.nf4_tensor import linear_nf4
        return linear_nf4(x, self.w) + self.scaling * F.linear(F.linear(x, self.lora_A), self.lora_B)


def main():
    ap = parser(__doc__)
    ap.add_argument("--curves", required=True, help="what gen_curves.py made")
    ap.add_argument("--rank", type=int, default=8)
    ap.add_argument("--alpha", type=float, default=16)
    args = ap.parse_args()
    setup(args)
    from safetensors.torch import load_file
    from transformers import LlamaConfig, LlamaForCausalLM
    nf4_cases(args.out)

    cfg = LlamaConfig(vocab_size=256, hidden_size=128, intermediate_size=128, num_hidden_layers=1, num_attention_heads=4,
                      num_key_value_heads=4, max_position_embeddings=128, initializer_range=0.08, rms_norm_eps=1e-5,
                      tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
                      use_cache=False, pad_token_id=0, bos_token_id=1, eos_token_id=2, attn_implementation="eager")
    start = LlamaForCausalLM(cfg).bfloat16().eval()
    start.save_pretrained(os.path.join(args.out, "model"))
    g = os.path.join(args.out, "model", "generation_config.json")
    if os.path.exists(g):
        os.remove(g)
    factors = {}
    for n, m in start.named_modules():
        if n.split(".")[-1] in PROJ:
            factors[n + ".lora_A"] = ((torch.rand(args.rank, m.in_features) * 2 - 1) / m.in_features ** 0.5).bfloat16()
            factors[n + ".lora_B"] = (torch.randn(m.out_features, args.rank) * 0.02).bfloat16()
    os.makedirs(os.path.join(args.out, "adapter"), exist_ok=True)
    save_st(os.path.join(args.out, "adapter", "adapter_model.safetensors"),
            {"base_model.model." + k + ".weight": v for k, v in factors.items()})
    dump(os.path.join(args.out, "adapter", "adapter_config.json"),
         {"peft_type": "LORA", "r": args.rank, "lora_alpha": args.alpha, "target_modules": PROJ})
    batches = load_file(os.path.join(args.curves, "batches.safetensors"))
    res = {"versions": versions("transformers", "torchao"), "seed": args.seed, "runs": {}}
    for dtype, name in ((torch.float32, "f32"), (torch.bfloat16, "bf16")):
        model = LlamaForCausalLM.from_pretrained(os.path.join(args.out, "model"), dtype=dtype, attn_implementation="eager")
        for p in model.parameters():
            p.requires_grad_(False)
        for n in [n[:-7] for n in factors if n.endswith(".lora_A")]:
            parent, leaf = n.rsplit(".", 1)
            setattr(model.get_submodule(parent), leaf,
                    QLoRALinear(model.get_submodule(n), factors[n + ".lora_A"].to(dtype), factors[n + ".lora_B"].to(dtype),
                                args.alpha / args.rank))
        trained = [p for p in model.parameters() if p.requires_grad]
        opt = torch.optim.AdamW(trained, lr=1e-2, weight_decay=0.01)
        losses, norms = [], []
        for ids, labels in zip(batches["input_ids"], batches["labels"]):
            loss = model(input_ids=ids, labels=labels).loss
            loss.backward()
            losses.append(loss.item())
            norms.append(torch.nn.utils.clip_grad_norm_(trained, float("inf")).item())
            opt.step()
            opt.zero_grad()
        res["runs"][name] = {"loss": losses, "grad_norm": norms}
        print(name, losses[0], "->", losses[-1])
    dump(os.path.join(args.out, "curves.json"), res)


if __name__ == "__main__":
    main()
