"""Runs Halftone and its Python peers alternately and writes down what each step took. bench/run starts it.

Each measurement is one process and one line of bench/results/<session>.jsonl. Rounds are outermost, and within a round
ours and theirs follow each other, so that ratios are of runs that had the machine in the same state.
"""
import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import report

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
WORK = ROOT / "bench" / ".work"
LEARNING_RATE = 1e-4

# The peers' own numbers, so that losses can be compared over several steps: gradients of torch from 2.14, and for int4 the
# scales that torchao trains with.
INT8_ACT_INT4 = {"_component_": "Int8DynamicActivationIntxWeightConfig", "weight_dtype": "int4", "groupsize": 32,
                 "gradient_rule": "open"}
INT4 = {"_component_": "Int4WeightOnlyConfig", "groupsize": 32, "numerics": "fbgemm_training", "gradient_rule": "open"}
LORA = {"lora_rank": 8, "lora_alpha": 16, "lora_dropout": 0.0, "save_adapter_weights_only": True}

# name: (our recipe, what our configuration says beyond the common part, what peer.py is asked for). A case without a peer of
# its own is held against another's: report.COUNTERPART.
CASES = {
    "full": ("full", {}, "full"),
    "qat_8da4w": ("qat", {"quantizer": INT8_ACT_INT4}, "8da4w"),
    "qat_int4wo": ("qat", {"quantizer": INT4}, "int4wo"),
    # torchao's autograd also goes through minimum and maximum of a group, which ours does when asked to.
    "qat_int4wo_scales": ("qat", {"quantizer": INT4 | {"scale_gradient": True}}, None),
    "lora": ("lora", LORA, "lora"),
    "qat_lora": ("qat_lora", LORA | {"quantizer": INT8_ACT_INT4, "lora_form": "separate"}, "8da4w_lora"),
    # The peers have nothing of the kind.
    "qat_lora_merged": ("qat_lora", LORA | {"quantizer": INT8_ACT_INT4, "lora_form": "merged"}, None),
}

# name: hidden size, intermediate size, layers, heads, key-value heads
SIZES = {
    "12M": (192, 512, 6, 3, 3),
    "135M": (576, 1536, 30, 9, 3),
    "362M": (960, 2560, 32, 15, 5),
    "1.1B": (2048, 8192, 16, 32, 8),
}


def arguments():
    words = lambda text: text.split(",")
    numbers = lambda text: [int(n) for n in text.split(",")]
    p = argparse.ArgumentParser(prog="bench/run", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--cases", type=words, default=list(CASES), help="of %s; all by default" % ",".join(CASES))
    p.add_argument("--seq", type=numbers, default=[512, 2048], help="tokens of a sequence; 512,2048 by default")
    p.add_argument("--batch", type=int, default=1, help="sequences of a step; 1 by default")
    p.add_argument("--checkpointing", type=words, default=["off"], help="activation checkpointing: off, on, or off,on")
    p.add_argument("--dtype", choices=["bf16", "fp32"], default="bf16", help="of weights and products; bf16 by default")
    p.add_argument("--rounds", type=int, default=3, help="measurements of each kind; 3 by default")
    p.add_argument("--steps", type=int, default=5, help="timed steps of a measurement; 5 by default")
    p.add_argument("--warmup", type=int, default=2, help="steps before them, not timed; 2 by default")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of both; all processors by default")
    p.add_argument("--compile", action="store_true", help="measures the peers under torch.compile too (minutes to compile)")
    p.add_argument("--model", type=Path, default=ROOT / "models/SmolLM2-135M-Instruct", help="a Hugging Face folder")
    p.add_argument("--timeout", type=int, default=3600, help="seconds after which one measurement is given up")
    p.add_argument("--scaling", action="store_true", help="ours alone, over length, size and gradient accumulation")
    p.add_argument("--quick", action="store_true", help="a smoke run: two cases, 128 tokens, one round of two steps")
    p.add_argument("--session", default=time.strftime("%Y%m%d-%H%M%S"),
                   help="name of the results; the same name again goes on where it was interrupted")
    p.add_argument("--publish", action="store_true", help="also writes docs/performance.md from the results")
    p.add_argument("--render", metavar="FILE", type=Path, help="measures nothing: writes docs/performance.md from FILE")
    a = p.parse_args()
    if a.quick:
        a.cases, a.seq, a.rounds, a.steps, a.warmup = ["full", "qat_8da4w"], [128], 1, 2, 1
    for case in a.cases:
        if case not in CASES:
            p.error("--cases: '%s' is none of %s" % (case, ", ".join(CASES)))
    for value in a.checkpointing:
        if value not in ("off", "on"):
            p.error("--checkpointing: '%s' is neither off nor on" % value)
    return a


def environment(a):
    """What both sides run under. How long a thread waits awake, and what becomes of freed memory, is as each side comes:
    ours by its launcher, theirs by the defaults of its libraries, which are the faster ones for it."""
    env = dict(os.environ)
    env["OMP_NUM_THREADS"] = env["MKL_NUM_THREADS"] = str(a.threads)
    env["HALFTONE_JAVA_OPTIONS"] = " ".join(
        [env.get("HALFTONE_JAVA_OPTIONS", ""), "-XX:ActiveProcessorCount=%d" % a.threads]).strip()
    env["HF_HUB_OFFLINE"] = "1"
    env["TORCHINDUCTOR_CACHE_DIR"] = str(WORK / "inductor" / a.session)
    return env


def session(a, env):
    """The first line of the results: what was measured on what."""
    output = lambda *command: subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    cpu = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        cpu.setdefault(key.strip(), value.strip())
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    flags = cpu.get("flags", "").split()
    return {
        "kind": "session",
        "date": time.strftime("%Y-%m-%d"),
        "command": "bench/run " + " ".join(sys.argv[1:]),
        "cpu": cpu.get("model name", platform.processor()),
        "family": "%s/%s" % (cpu.get("cpu family", "?"), cpu.get("model", "?")),
        "processors": len(os.sched_getaffinity(0)),
        "threads": a.threads,
        "flags": [f for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f in flags],
        "memory_gib": round(memory / (1 << 20)),
        "halftone": output("./halftone", "--version").splitlines()[0],
        "commit": output("git", "describe", "--always", "--dirty"),
        "python": platform.python_version(),
        "peers": {name: importlib.metadata.version(name) for name in ("torch", "torchao", "transformers", "peft")},
        "batch": a.batch, "dtype": a.dtype, "warmup": a.warmup, "model": a.model.name,
    }


def prepared(a, env, seq, rows):
    """The token file of `seq` tokens a row, and the adapter to begin with."""
    tokens, adapter = WORK / ("%s-%d-%d.jsonl" % (a.model.name, seq, rows)), WORK / ("%s-adapter" % a.model.name)
    if not (tokens.exists() and adapter.exists()):
        job = {"model": str(a.model), "texts": str(ROOT / "models/sotu"), "seq": seq, "rows": rows,
               "tokens": str(tokens), "adapter": str(adapter)}
        subprocess.run([sys.executable, ROOT / "bench/peer.py", "prepare", json.dumps(job)], env=env, check=True)
    return tokens, adapter


def ours(a, env, recipe, extra, tokens, seq, steps, checkpointing=False, accumulation=1, model=None):
    """One run of ours: seconds and loss of each step, and the peak after the last."""
    out = WORK / "run"
    shutil.rmtree(out, ignore_errors=True)
    config = {
        "output_dir": str(out), "checkpoint_dir": str(model or a.model),
        "dataset": {"_component_": "tokenized_dataset", "data_files": [str(tokens)]},
        "max_seq_len": seq, "shuffle": False, "batch_size": a.batch, "gradient_accumulation_steps": accumulation,
        "epochs": 1, "max_steps_per_epoch": steps,
        "optimizer": {"_component_": "torch.optim.AdamW", "lr": LEARNING_RATE, "weight_decay": 0.01},
        "clip_grad_norm": 1.0, "dtype": a.dtype, "log_layer_health_every_n_steps": 0,
    }
    if checkpointing:
        config["enable_activation_checkpointing"] = True
    file = WORK / "config.yaml"
    file.write_text(json.dumps(config | extra, indent=1))
    status = subprocess.run(["./halftone", "run", recipe, "--config", str(file)], cwd=ROOT, env=env, timeout=a.timeout,
                            stdout=subprocess.DEVNULL, stderr=open(WORK / "log.txt", "w")).returncode
    if status:
        return {"failed": "exit %d: %s" % (status, last_line())}
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    shutil.rmtree(out)
    labels = a.batch * accumulation * (seq - 1)
    return {"seconds": [labels / row["tokens_per_second_per_gpu"] for row in rows],
            "losses": [row["loss"] for row in rows], "peak_bytes": int(rows[-1]["peak_memory_active"] * (1 << 30))}


def theirs(a, env, peer, tokens, adapter, steps, checkpointing, compiled):
    job = {"model": str(a.model), "peer": peer, "tokens": str(tokens), "adapter": str(adapter), "steps": steps,
           "batch": a.batch, "dtype": a.dtype, "threads": a.threads, "lr": LEARNING_RATE,
           "checkpointing": checkpointing, "compile": compiled}
    done = subprocess.run([sys.executable, ROOT / "bench/peer.py", "train", json.dumps(job)], cwd=ROOT, env=env,
                          timeout=a.timeout, stdout=subprocess.PIPE, stderr=open(WORK / "log.txt", "w"), text=True)
    if done.returncode:
        return {"failed": "exit %d: %s" % (done.returncode, last_line())}
    return json.loads(done.stdout.splitlines()[-1])


def last_line():
    lines = (WORK / "log.txt").read_text().strip().splitlines()
    return lines[-1][:300] if lines else "no message"


class Results:
    """The file of a session: what stands there is not measured again."""

    def __init__(self, a, env):
        RESULTS.mkdir(parents=True, exist_ok=True)
        self.file = RESULTS / (a.session + ".jsonl")
        rows = report.read(self.file) if self.file.exists() else []
        self.done = {self.key(row) for row in rows if row["kind"] != "session"}
        new = session(a, env)
        for key in ("cpu", "threads", "peers", "batch", "dtype", "warmup", "model"):
            if rows and rows[0][key] != new[key]:
                sys.exit("bench: session %s was measured with %s %s. Choose another --session." % (a.session, key, rows[0][key]))
        self.write(new)

    @staticmethod
    def key(row):
        return json.dumps({k: v for k, v in row.items()
                           if k not in ("seconds", "losses", "peak_bytes", "failed", "load")}, sort_keys=True)

    def write(self, row):
        with open(self.file, "a", encoding="utf-8") as f:
            f.write(json.dumps(row) + "\n")

    def measure(self, what, action):
        """Does it unless it is done, and writes it down, a failure too."""
        if self.key(what) in self.done:
            return
        load = os.getloadavg()[0]
        try:
            result = action()
        except subprocess.TimeoutExpired:
            result = {"failed": "took longer than --timeout"}
        self.write(what | {"load": round(load, 2)} | result)
        print("%s: %s" % (", ".join("%s %s" % (k, v) for k, v in what.items() if k != "kind"),
                          result.get("failed") or "steps %s s, peak %.2f GiB, loss %.4f" % (
                              " ".join("%.2f" % s for s in result["seconds"]), result["peak_bytes"] / (1 << 30),
                              result["losses"][0])), file=sys.stderr, flush=True)


def compare(a, env, results):
    steps = a.warmup + a.steps
    for turn in range(1, a.rounds + 1):
        for seq in a.seq:
            tokens, adapter = prepared(a, env, seq, steps * a.batch)
            for checkpointing in a.checkpointing:
                on = checkpointing == "on"
                for case in a.cases:
                    recipe, extra, peer = CASES[case]
                    if "lora" in case:
                        extra = extra | {"adapter_dir": str(adapter)}
                    what = {"kind": "measurement", "round": turn, "seq": seq, "checkpointing": on, "case": case}
                    results.measure(what | {"side": "ours"},
                                    lambda: ours(a, env, recipe, extra, tokens, seq, steps, on))
                    for side in ["eager", "compiled"][:1 + a.compile] if peer else []:
                        results.measure(what | {"side": side},
                                        lambda: theirs(a, env, peer, tokens, adapter, steps, on, side == "compiled"))


def scaling(a, env, results):
    """Ours alone: one thing changes, the rest stays at 512 tokens, 135M and no accumulation."""
    points = [("length", seq, "135M", 1) for seq in (256, 512, 1024, 2048, 4096)]
    points += [("size", 512, size, 1) for size in SIZES]
    points += [("accumulation", 512, "135M", n) for n in (1, 2, 4, 8)]
    if a.quick:
        points = [("length", 64, "12M", 1), ("size", 64, "12M", 1), ("accumulation", 64, "12M", 2)]
    steps = 2 + min(a.steps, 2)
    for axis, seq, size, accumulation in points:
        tokens, _ = prepared(a, env, seq, steps * accumulation * a.batch)
        folder = random_model(a, size)
        for case in ("full", "qat_8da4w"):
            recipe, extra, _ = CASES[case]
            what = {"kind": "scaling", "axis": axis, "seq": seq, "size": size, "accumulation": accumulation, "case": case}
            results.measure(what, lambda: ours(a, env, recipe, extra | {"from_scratch": True}, tokens, seq, steps,
                                               accumulation=accumulation, model=folder))


def random_model(a, size):
    """A folder whose config.json says the size; its weights are drawn at random."""
    hidden, intermediate, layers, heads, kv_heads = SIZES[size]
    folder = WORK / ("model-" + size)
    folder.mkdir(exist_ok=True)
    config = json.loads((a.model / "config.json").read_text())
    config.update(hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=layers, num_attention_heads=heads,
                  num_key_value_heads=kv_heads, head_dim=hidden // heads, tie_word_embeddings=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(a.model / name, folder / name)
    return folder


def main():
    a = arguments()
    if a.render:
        report.publish(report.read(a.render))
        return 0
    pinned = dict(line.split("==") for line in (ROOT / "bench/requirements.txt").read_text().split() if "==" in line)
    for name in ("torch", "torchao", "transformers", "peft"):
        if importlib.metadata.version(name).split("+")[0] != pinned[name]:
            print("bench: %s is not the pinned %s" % (name, pinned[name]), file=sys.stderr)
    WORK.mkdir(parents=True, exist_ok=True)
    env = environment(a)
    results = Results(a, env)
    (scaling if a.scaling else compare)(a, env, results)
    rows = report.read(results.file)
    print(report.page(rows))
    print("bench: the measurements are in %s" % results.file.relative_to(ROOT), file=sys.stderr)
    if a.publish:
        report.publish(rows)
    # A comparison of different work is none.
    return 0 if report.same_work(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
