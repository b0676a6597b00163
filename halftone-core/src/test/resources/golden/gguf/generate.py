"""Golden GGUF files, written by gguf-py: python generate.py <golden folder>.

metadata.gguf       each metadata type, and tensors whose float32 values are in metadata.safetensors
tiny_<name>.gguf    random models converted as llama.cpp's convert_hf_to_gguf.py does, with the vocabularies of
                    golden/tokenizer; the checkpoint that they stand for is tiny_<name>.safetensors, its configuration
                    tiny_<name>.json. tiny_llama.safetensors is what transformers' own GGUF loader reads.
tiny_qwen2.ids.json ids of the strings of golden/tokenizer by transformers' Qwen2Tokenizer
"""
import json
import os
import sys

import numpy as np
import torch
from gguf import GGMLQuantizationType as T, GGUFReader, GGUFValueType as V, GGUFWriter, MODEL_ARCH, get_tensor_name_map, quants
from safetensors.numpy import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config, Qwen2Tokenizer, Qwen3Config

GOLDEN = sys.argv[1]
OUT = GOLDEN + "/gguf/"


def finish(w):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def metadata():
    w = GGUFWriter(OUT + "metadata.gguf", "llama")
    w.add_uint8("a.u8", 250)
    w.add_int8("a.i8", -3)
    w.add_uint16("a.u16", 65000)
    w.add_int16("a.i16", -300)
    w.add_uint32("a.u32", 4000000000)
    w.add_int32("a.i32", -5)
    w.add_float32("a.f32", 1e-5)
    w.add_bool("a.yes", True)
    w.add_bool("a.no", False)
    w.add_string("a.text", "naïve 😀")
    w.add_uint64("a.u64", 2**64 - 1)
    w.add_int64("a.i64", -2**63)
    w.add_float64("a.f64", 0.1)
    w.add_array("a.ints", [1, -2, 3])
    w.add_array("a.texts", ["", "b", "ç"])
    w.add_array("a.reals", [0.5, -1.5])
    w.add_array("a.bools", [True, False, True])
    w.add_key_value("a.u8s", [1, 2, 255], V.ARRAY, V.UINT8)
    w.add_custom_alignment(64)
    rng = np.random.default_rng(1)
    w.add_tensor("f32", np.arange(6, dtype=np.float32).reshape(2, 3))
    w.add_tensor("f16", np.arange(6, dtype=np.float16).reshape(1, 2, 3))
    for t in (T.BF16, T.Q8_0, T.Q4_1):
        w.add_tensor(t.name.lower(), quants.quantize(rng.standard_normal((3, 64)).astype(np.float32), t), raw_dtype=t)
    finish(w)
    save(OUT + "metadata.safetensors",
         {t.name: quants.dequantize(t.data, t.tensor_type) for t in GGUFReader(OUT + "metadata.gguf").tensors})


def save(path, tensors):
    save_file({k: np.ascontiguousarray(v, dtype=np.float32) for k, v in tensors.items()}, path, metadata={"format": "pt"})
    os.chmod(path, 0o644)


def permute(w, heads):
    """LlamaModel.permute of llama.cpp's converter."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def vocabulary(w, name, pre, **ids):
    t = json.load(open(f"{GOLDEN}/tokenizer/{name}/tokenizer.json"))
    tokens = sorted(t["model"]["vocab"], key=t["model"]["vocab"].get)
    special = {a["content"] for a in t["added_tokens"]}
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre(pre)
    w.add_token_list(tokens)
    w.add_token_types([3 if x in special else 1 for x in tokens])
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in t["model"]["merges"]])
    for k, v in ids.items():
        getattr(w, f"add_{k}")(v)
    return len(tokens)


def tiny(name, arch, config_class, types, vocab_args, rope_factors=None, **kw):
    w = GGUFWriter(OUT + f"tiny_{name}.gguf", arch)
    w.add_type("model")
    n = vocabulary(w, **vocab_args)
    torch.manual_seed(1)
    config = config_class(vocab_size=n, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4,
                          num_key_value_heads=2, max_position_embeddings=256, initializer_range=0.5, bos_token_id=1,
                          eos_token_id=2, pad_token_id=0, **kw)
    model = AutoModelForCausalLM.from_config(config)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.5)
    head_dim = getattr(config, "head_dim", None) or 8
    w.add_block_count(1)
    w.add_context_length(256)
    w.add_embedding_length(32)
    w.add_feed_forward_length(64)
    w.add_head_count(4)
    w.add_head_count_kv(2)
    w.add_layer_norm_rms_eps(config.rms_norm_eps)
    w.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if head_dim != 8:
        w.add_key_length(head_dim)
        w.add_value_length(head_dim)
    if arch == "llama":
        w.add_rope_dimension_count(head_dim)
        w.add_vocab_size(n)
    if rope_factors is not None:
        w.add_tensor("rope_freqs.weight", rope_factors)
    names = get_tensor_name_map({"llama": MODEL_ARCH.LLAMA, "qwen2": MODEL_ARCH.QWEN2, "qwen3": MODEL_ARCH.QWEN3}[arch], 1)
    checkpoint = {}
    for key, value in model.state_dict().items():
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        value = value.numpy()
        kind = T.F32
        if value.ndim == 2:
            kind = types[len(checkpoint) % len(types)]
        raw = quants.quantize(value, kind)
        checkpoint[key] = quants.dequantize(raw, kind)
        if arch == "llama" and (".q_proj." in key or ".k_proj." in key):
            raw = permute(raw, 4 if ".q_proj." in key else 2)
        w.add_tensor(names.get_name(key, try_suffixes=(".weight", ".bias")), raw, raw_dtype=kind)
    finish(w)
    save(OUT + f"tiny_{name}.safetensors", checkpoint)
    if name == "llama":
        loaded = AutoModelForCausalLM.from_pretrained(GOLDEN + "/gguf", gguf_file="tiny_llama.gguf", dtype=torch.float32)
        loaded = {k: v.numpy() for k, v in loaded.state_dict().items() if k in checkpoint}
        assert loaded.keys() == checkpoint.keys() and all(np.array_equal(loaded[k], checkpoint[k]) for k in loaded)
    json.dump(config.to_dict(), open(OUT + f"tiny_{name}.json", "w"), indent=1)


def llama3_factors(theta, dim, factor):
    """Llama3's generate_extra_tensors of llama.cpp's converter."""
    out = []
    for f in 1.0 / theta ** (np.arange(0, dim, 2, dtype=np.float32) / dim):
        wavelen = 2 * np.pi / f
        if wavelen < 8192 / 4:
            out.append(1)
        elif wavelen > 8192:
            out.append(factor)
        else:
            smooth = (8192 / wavelen - 1) / 3
            out.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(out, dtype=np.float32)


metadata()
digits = dict(name="bytelevel_digits", pre="smollm", add_bos_token=False, bos_token_id=1, eos_token_id=2, pad_token_id=0,
              chat_template="{% for m in messages %}{{ m['content'] }}{% endfor %}")
llama3 = dict(name="bytelevel_llama3", pre="llama-bpe", add_bos_token=True, bos_token_id=1, eos_token_id=2, eot_token_id=0)
qwen2 = dict(name="bytelevel_gpt2", pre="qwen2", eos_token_id=2)
tiny("llama", "llama", LlamaConfig, [T.Q4_1, T.Q8_0, T.BF16, T.F16], digits, tie_word_embeddings=True,
     rope_parameters={"rope_type": "default", "rope_theta": 100000.0})
tiny("llama3", "llama", LlamaConfig, [T.Q8_0], llama3, rope_factors=llama3_factors(500000.0, 16, 32.0), head_dim=16,
     attention_bias=True, mlp_bias=True, rope_parameters={
         "rope_type": "llama3", "rope_theta": 500000.0, "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
         "original_max_position_embeddings": 8192})
tiny("qwen2", "qwen2", Qwen2Config, [T.Q8_0], qwen2, tie_word_embeddings=True)
tiny("qwen3", "qwen3", Qwen3Config, [T.Q8_0], qwen2, head_dim=16, tie_word_embeddings=True)

texts = [c["text"] for c in json.load(open(GOLDEN + "/tokenizer/bytelevel_gpt2/cases.json"))["cases"]]
t = json.load(open(GOLDEN + "/tokenizer/bytelevel_gpt2/tokenizer.json"))
qwen2 = Qwen2Tokenizer(vocab=t["model"]["vocab"], merges=[tuple(m) for m in t["model"]["merges"]])
qwen2.add_special_tokens({"additional_special_tokens": [a["content"] for a in t["added_tokens"]]})
json.dump([qwen2(x, add_special_tokens=False).input_ids for x in texts], open(OUT + "tiny_qwen2.ids.json", "w"))
