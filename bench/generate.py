"""`generate` against llama.cpp on the same GGUF file with the same threads, alternately: see README.md.

    bench/generate.py [--file F] [--threads 1,2] [--prompt 512] [--tokens 256] [--rounds 3] [--dtype fp32]

Needs the interpreter to have xllamacpp (llama.cpp as a Python package). Each measurement is a process. Speeds are those that
the two programs state of their own work, loading excluded; memory is the highest resident memory of the process. Tokens per
processor second compare a long run with a short one, and tell the programs apart from whatever else the machine does.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def measure(command, threads):
    """What a process prints as JSON, its peak of memory in MB, and the seconds of processor time that it took."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OMP_WAIT_POLICY="PASSIVE")
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit("bench: failed: " + " ".join(command))
    document = json.loads(out[out.index(b"{"):])
    return document, usage.ru_maxrss / 1000, usage.ru_utime + usage.ru_stime


def ours(o, prompt, tokens, threads):
    document, memory, seconds = measure(
        ["./halftone", "run", "generate", "--config", "generate", "--json", "checkpoint_dir=" + o.file, "dtype=" + o.dtype,
         "prompt=" + json.dumps(prompt), "temperature=0", "max_new_tokens=%d" % tokens], threads)
    r = document["results"]
    return {"prompt": r["prompt_tokens_per_second"], "decode": r["tokens_per_second"], "memory": memory,
            "tokens": len(r["tokens"]), "seconds": seconds}


def theirs(o, prompt, tokens, threads):
    r, memory, seconds = measure([sys.executable, os.path.abspath(__file__), "--peer", json.dumps(
        {"file": o.file, "threads": threads, "tokens": tokens, "prompt": prompt})], threads)
    return {"prompt": r["prompt_per_second"], "decode": r["predicted_per_second"], "memory": memory,
            "tokens": r["predicted_n"], "seconds": seconds}


def both(program, o, prompt, threads):
    """A short and a long run: what the long one took more of the processor was spent on tokens only, and warm."""
    short = program(o, prompt, o.tokens // 4, threads)
    long = program(o, prompt, o.tokens, threads)
    seconds = long["seconds"] - short["seconds"]
    return dict(long, warm=(long["tokens"] - short["tokens"]) / seconds if seconds > 0 else float("nan"))


def peer(job):
    import xllamacpp
    output = os.dup(1)
    os.dup2(2, 1)
    p = xllamacpp.CommonParams()
    p.model.path = job["file"]
    p.n_ctx = 4096
    p.n_parallel = 1
    p.cpuparams.n_threads = p.cpuparams_batch.n_threads = job["threads"]
    timings = xllamacpp.Server(p).handle_completions(
        {"prompt": job["prompt"], "n_predict": job["tokens"], "temperature": 0, "cache_prompt": False})["timings"]
    os.write(output, json.dumps(timings).encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", default="models/SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--text", default="models/sotu/1790_george_washington_n.txt", help="what the prompt is cut from")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--prompt", type=int, default=512, help="words of the prompt")
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="fp32")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    o = parser.parse_args()
    if o.peer:
        return peer(json.loads(o.peer))
    with open(os.path.join(ROOT, o.text), encoding="utf-8") as f:
        prompt = " ".join(f.read().split()[:o.prompt])
    print("| threads | | Halftone | llama.cpp | ratio (smallest, largest) |\n| --- | --- | --- | --- | --- |")
    for threads in map(int, o.threads.split(",")):
        rounds = [(both(ours, o, prompt, threads), both(theirs, o, prompt, threads)) for _ in range(o.rounds)]
        for key, name in (("prompt", "prompt, tokens/s"), ("decode", "decode, tokens/s"),
                          ("warm", "decode, tokens per processor second"), ("memory", "peak memory, MB")):
            ratios = sorted(a[key] / b[key] for a, b in rounds)
            print("| %d | %s | %.1f | %.1f | %.2f (%.2f, %.2f) |" % (
                threads, name, statistics.median(a[key] for a, _ in rounds), statistics.median(b[key] for _, b in rounds),
                statistics.median(ratios), ratios[0], ratios[-1]), flush=True)


if __name__ == "__main__":
    main()
