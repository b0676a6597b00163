"""Lets llama.cpp (PyPI xllamacpp) tokenize and continue texts, greedily.

complete.py MODEL.gguf < [{"text": ..., "tokens": how many new ones, "top": of how many tokens the log-probabilities,
    "again": whether each is asked for once more, of llama.cpp with its default settings}, ...]

Prints one JSON document: for each, `prompt` (token ids), `ids` of the new tokens, and `top`: for each new token
[[id, log-probability], ...], likeliest first; or none. `again` has a [next token, top] for each.
"""

import json
import os
import sys
import urllib.request

import xllamacpp

# llama.cpp writes to standard output; the answer is to be alone there.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def server(exact):
    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.n_ctx = 512
    params.n_parallel = 1
    params.warmup = False
    # By default keys and values are float16, in the kernels of flash attention.
    if exact:
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.verbosity = -1
    # More would wait for each other by spinning, which crawls on a machine that has something else to do.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    return xllamacpp.Server(params)


def post(server, path, body):
    request = urllib.request.Request(server.listening_address + path, json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as response:
        return json.loads(response.read())


def step(server, ids, top):
    """The next token, and the log-probabilities: none where its bytes are no whole character, which llama.cpp's
    server then keeps to itself."""
    done = post(server, "/completion", {
        "prompt": ids, "n_predict": 1, "temperature": 0, "n_probs": top, "cache_prompt": True, "return_tokens": True})
    told = done.get("completion_probabilities")
    return done["tokens"][0], [[t["id"], t["logprob"]] for t in told[0]["top_logprobs"]] if told else []


cases, results = json.load(sys.stdin), []
exact = server(exact=True)
default = server(exact=False) if any(case["again"] for case in cases) else None
for case in cases:
    prompt = post(exact, "/tokenize", {"content": case["text"], "add_special": True, "parse_special": True})["tokens"]
    ids, top = list(prompt), []
    for _ in range(case["tokens"]):
        token, likeliest = step(exact, ids, case["top"])
        ids.append(token)
        top.append(likeliest)
    again = range(len(prompt), len(ids)) if case["again"] else []
    results.append({"prompt": prompt, "ids": ids[len(prompt):], "top": top,
                    "again": [step(default, ids[:n], case["top"]) for n in again]})
json.dump(results, answers)
answers.close()
os._exit(0)
