"""Times forward and backward of a model of SmolLM2-135M's shape in transformers: see README.md.

usage: training_step.py bf16|fp32|mixed TOKENS REPETITIONS
"""
import contextlib
import resource
import sys
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

precision, tokens, repetitions = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1)
torch.manual_seed(1)
config = LlamaConfig(
    vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
    num_key_value_heads=3, rms_norm_eps=1e-5, rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
    tie_word_embeddings=True, use_cache=False)
model = LlamaForCausalLM(config).to(torch.bfloat16 if precision == "bf16" else torch.float32)
ids = torch.randint(0, config.vocab_size, (1, tokens))
for _ in range(repetitions):
    with torch.autocast("cpu", dtype=torch.bfloat16) if precision == "mixed" else contextlib.nullcontext():
        start = time.thread_time()
        model.model(ids)
        forward = time.thread_time()
        loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    end = time.thread_time()
    model.zero_grad(set_to_none=True)
    print("layers forward %.2f s, step %.2f s, loss %.4f, peak %.2f GB"
          % (forward - start, end - forward, loss.item(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6), flush=True)
