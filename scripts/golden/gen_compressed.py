"""Folders that compressed-tensors wrote of the tiny Llama of `curves`, and what transformers computes with them; and the way back.

  gen_compressed.py --seed 1 --model curves/model --out compressed   writes <kind>/config.json, model.safetensors and
                                                                     logits.safetensors: ids [S], logits [S, V]
  gen_compressed.py --compute FOLDER...                              of models that are there, writes FOLDER/logits.safetensors and
                                                                     layers.safetensors: of each linear layer its inputs as they
                                                                     come, <layer>.x, as they are multiplied, .q, and outputs, .y
"""
import argparse
import json
import os

import torch
from compressed_tensors.compressors import ModelCompressor
from compressed_tensors.quantization import (QuantizationConfig, QuantizationScheme, QuantizationStatus,
                                             apply_quantization_config, preset_name_to_scheme)
from compressed_tensors.quantization.lifecycle.forward import forward_quantize
from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, CompressedTensorsConfig

IDS = torch.arange(3, 27)[None]
F32, BF16, F16 = torch.float32, torch.bfloat16, torch.float16


def preset(name, targets=("Linear",), **weights):
    scheme = preset_name_to_scheme(name, list(targets))
    for key, value in weights.items():
        setattr(scheme.weights, key, value)
    return scheme


def w4a8(inputs):
    return QuantizationScheme(targets=["Linear"], weights=dict(num_bits=4, strategy="group", group_size=32), input_activations=inputs)


GROUP = dict(group_size=32)
KINDS = {
    "w4a16": (BF16, [preset("W4A16", **GROUP)], ["lm_head"]),
    "w4a16_asym": (F32, [preset("W4A16_ASYM", **GROUP)], []),
    "w8a16_channel": (F16, [preset("W8A16", strategy="channel", group_size=None)], []),
    "w8a8": (F32, [preset("W8A8")], []),
    "w8a8_static": (F32, [QuantizationScheme(targets=["Linear"], weights=dict(strategy="channel"), input_activations=dict(strategy="tensor"))], []),
    "w4a8_asym": (F32, [w4a8(dict(strategy="token", dynamic=True, symmetric=False))], []),
    "w4afp8": (F32, [w4a8(dict(type="float", strategy="token", dynamic=True))], []),
    "fp8_dynamic": (F32, [preset("FP8_DYNAMIC")], ["re:.*lm_head"]),
    "fp8": (F32, [preset("FP8")], []),
    "nvfp4a16": (BF16, [preset("NVFP4A16")], []),
    "mxfp4": (BF16, [preset("MXFP4")], []),
    "mxfp8a16": (BF16, [preset("MXFP8A16")], []),
    "mixed": (F32, [preset("W4A16", [r"re:.*self_attn\.[qkvo]_proj$"], **GROUP), preset("W8A8", ["lm_head", r"re:.*\.down_proj$"])], ["model.layers.0.self_attn.k_proj"]),
}


def base(path, dtype, **settings):
    return AutoModelForCausalLM.from_pretrained(path, dtype=dtype, attn_implementation="eager", **settings).eval()


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS.to(model.device)).logits[0].float().contiguous()


def blocks(weight, args):
    if args.strategy == "tensor":
        return weight.reshape(1, -1)
    return weight.unflatten(-1, (-1, args.group_size)) if args.group_size else weight


def calibrate(model, inputs):
    """Scales of the weights, and of static inputs from what a float pass saw."""
    for name, module in model.named_modules():
        scheme = getattr(module, "quantization_scheme", None)
        if scheme is None:
            continue
        args, weight = scheme.weights, module.weight.data
        b = blocks(weight, args)
        low, high = b.amin(-1), b.amax(-1)
        if args.strategy == "channel":
            low, high = low[:, None], high[:, None]
        g = None
        if args.strategy == "tensor_group":
            g = generate_gparam(weight.amin(), weight.amax())
            module.weight_global_scale.data.copy_(g)
        scale, zero = calculate_qparams(low, high, args, global_scale=g)
        module.weight_scale.data.copy_(scale.reshape(module.weight_scale.shape))
        if hasattr(module, "weight_zero_point"):
            module.weight_zero_point.data.copy_(zero.reshape(module.weight_zero_point.shape))
        args = scheme.input_activations
        if args is not None and args.dynamic is False:
            scale, zero = calculate_qparams(*inputs[name], args)
            module.input_scale.data.copy_(scale)
            if hasattr(module, "input_zero_point"):
                module.input_zero_point.data.copy_(zero)


def seen(model):
    ranges, hooks = {}, []
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            hooks.append(module.register_forward_pre_hook(
                lambda m, x, name=name: ranges.__setitem__(name, (x[0].amin().reshape(1), x[0].amax().reshape(1)))))
    logits(model)
    for hook in hooks:
        hook.remove()
    return ranges


def generate(args):
    for kind, (dtype, groups, ignore) in KINDS.items():
        if args.only and kind != args.only:
            continue
        torch.manual_seed(args.seed)
        model = base(args.model, dtype)
        inputs = seen(model)
        config = QuantizationConfig(config_groups={"group_%d" % i: g for i, g in enumerate(groups)}, ignore=ignore,
                                    quantization_status=QuantizationStatus.FROZEN)
        apply_quantization_config(model, config)
        calibrate(model, inputs)
        compressor = ModelCompressor.from_pretrained_model(model)
        if kind == "w4afp8":
            # vLLM reads these packed, llm-compressor is told so.
            compressor = ModelCompressor.from_pretrained_model(model, "pack-quantized")
        compressor.compress_model(model)
        out = os.path.join(args.out, kind)
        model.save_pretrained(out)
        compressor.update_config(out)
        if os.path.exists(os.path.join(out, "generation_config.json")):
            os.remove(os.path.join(out, "generation_config.json"))
        write_logits(out)


def watch(model):
    """What passes through the linear layers, filled when the model runs."""
    tensors = {}

    def came(name, module, x):
        scheme = getattr(module, "quantization_scheme", None)
        inputs = scheme.input_activations if scheme else None
        tensors[name + ".x"] = x
        tensors[name + ".q"] = forward_quantize(module, x, "input", inputs) if inputs else x.clone()

    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(lambda m, x, name=name: came(name, m, x[0].clone()))
            module.register_forward_hook(lambda m, x, y, name=name: tensors.__setitem__(name + ".y", y.clone()))
    return tensors


def write_logits(folder, layers=False):
    with open(os.path.join(folder, "config.json")) as f:
        config = json.load(f)
    groups = config["quantization_config"]["config_groups"].values()
    # transformers 5.24 makes no room for zero points that are packed, unless it dequantizes while it loads.
    packed_zeros = any(g["format"] == "pack-quantized" and not g["weights"]["symmetric"] for g in groups)
    settings = dict(quantization_config=CompressedTensorsConfig(dequantize=True)) if packed_zeros else {}
    model = base(folder, config.get("dtype", "auto"), **settings)
    passed = watch(model) if layers else {}
    out = logits(model)
    if layers:
        save_file(passed, os.path.join(folder, "layers.safetensors"))
    save_file({"ids": IDS[0], "logits": out}, os.path.join(folder, "logits.safetensors"))
    print(folder, model.dtype, "%.4g" % out.abs().max().item(), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model")
    parser.add_argument("--out")
    parser.add_argument("--only", help="one kind")
    parser.add_argument("--compute", nargs="*")
    arguments = parser.parse_args()
    if arguments.compute:
        torch.set_num_threads(1)
        for path in arguments.compute:
            write_logits(path, layers=True)
    else:
        generate(arguments)
