"""What torchtune's own classes make of small samples: torchtune.json beside this file.

  python gen_data.py <checkout of torchtune>      (commit bd2a0fc7, 2026-04-23; needs torch)

packing: PackedDataset on samples of random lengths, whole and split; torchtune shifts labels before it packs, so the
samples here have labels that differ from the ids everywhere.
messages: AlpacaToMessages, InputOutputToMessages, ShareGPTToMessages and OpenAIToMessages, with what each message masks.
valid: validate_messages on sequences of roles.
"""
import importlib.util
import itertools
import json
import pathlib
import random
import sys
import types

import torch

root = pathlib.Path(sys.argv[1]) / "torchtune"


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, root / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def stub(name, **attributes):
    module = types.ModuleType(name)
    module.__dict__.update(attributes)
    sys.modules[name] = module


# The classes themselves are torchtune's; only imports that pull in the rest of it are replaced.
stub("torchtune")
stub("torchtune.data")
stub("torchtune.modules")
stub("torchtune.modules.transforms", Transform=object)
stub("torchtune.data._utils", load_image=None, format_content_with_images=None)
stub("tqdm", tqdm=lambda **kw: types.SimpleNamespace(update=lambda: None))
load("data/_common.py", "torchtune.data._common")
messages = load("data/_messages.py", "torchtune.data._messages")
packed = load("datasets/_packed.py", "torchtune.datasets._packed")


def packing():
    rng = random.Random(1)
    cases = []
    for length, split in itertools.product((8, 13), (False, True)):
        samples = []
        for i in range(12):
            n = rng.randint(1, length if not split else 3 * length)
            samples.append({"tokens": [rng.randint(1, 99) for _ in range(n)], "labels": [rng.randint(100, 199) for _ in range(n)]})
        packs = packed.PackedDataset(samples, max_seq_len=length, split_across_pack=split)
        rows = [{k: v.tolist() for k, v in p.items()} for p in packs.packs]
        cases.append({"length": length, "split": split, "samples": samples, "rows": rows})
    return cases


def show(transform, row):
    return [{"role": m.role, "content": m.text_content, "masked": m.masked} for m in transform(row)["messages"]]


def conversions():
    alpaca = {"instruction": "Add.", "input": "1 and 2", "output": "3"}
    bare = {"instruction": "Say hi.", "input": "", "output": "hi"}
    renamed = {"q": "Say hi.", "i": "x", "a": "hi"}
    pair = {"input": "in", "output": "out"}
    chat = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}, {"role": "assistant", "content": "A"},
            {"role": "user", "content": "U2"}, {"role": "assistant", "content": "A2"}]
    gpt = [{"from": {"system": "system", "user": "human", "assistant": "gpt"}[m["role"]], "value": m["content"]} for m in chat]
    out = []
    for train in (False, True):
        m = messages
        columns = {"instruction": "q", "input": "i", "output": "a"}
        for kind, row, prompt, column_map, transform in [
            ("alpaca", alpaca, None, None, m.AlpacaToMessages(train_on_input=train)),
            ("alpaca", bare, None, None, m.AlpacaToMessages(train_on_input=train)),
            ("alpaca", renamed, None, columns, m.AlpacaToMessages(train_on_input=train, column_map=columns)),
            ("instruct", pair, None, None, m.InputOutputToMessages(train_on_input=train)),
            ("instruct", pair, "New.", None, m.InputOutputToMessages(train_on_input=train, new_system_prompt="New.")),
            ("openai", {"messages": chat}, None, None, m.OpenAIToMessages(train_on_input=train)),
            ("openai", {"messages": chat}, "New.", None, m.OpenAIToMessages(train_on_input=train, new_system_prompt="New.")),
            ("sharegpt", {"conversations": gpt}, None, None, m.ShareGPTToMessages(train_on_input=train)),
            ("sharegpt", {"conversations": gpt}, "New.", None, m.ShareGPTToMessages(train_on_input=train, new_system_prompt="New.")),
        ]:
            out.append({"kind": kind, "row": row, "train_on_input": train, "system_prompt": prompt, "columns": column_map or {},
                        "messages": show(transform, row)})
    return out


def valid():
    out = []
    for n in range(1, 5):
        for roles in itertools.product(("system", "user", "assistant"), repeat=n):
            try:
                messages.validate_messages([messages.Message(role=r, content="x") for r in roles])
                out.append({"roles": roles, "valid": True})
            except ValueError:
                out.append({"roles": roles, "valid": False})
    return out


if __name__ == "__main__":
    result = {"packing": packing(), "messages": conversions(), "valid": valid()}
    pathlib.Path(__file__).with_name("torchtune.json").write_text(json.dumps(result, ensure_ascii=False) + "\n", encoding="utf-8")
