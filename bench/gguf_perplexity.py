#!/usr/bin/env python3
"""Does a model that was trained for a GGUF block type stay that good in llama.cpp?

Fine-tunes a model in float and for the block type, on the same data for as many steps; quantizes both; exports both;
and measures, on a text that neither has seen, what Halftone computes of the artifact and what llama.cpp computes of
the file. Both by lm-evaluation-harness' rolling windows.

    bench/gguf_perplexity.py --steps 40 --out runs/gguf           # everything
    bench/gguf_perplexity.py --files MODEL.gguf --text TEXT.txt   # llama.cpp's perplexity of a file

Needs `pip install cyllama==0.2.18 numpy`: llama.cpp with the logits of every position. llama.cpp rounds the inputs of
products to 8 bits, which Halftone does here as little as in training.
"""

import argparse
import json
import math
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def windows(tokens, prefix, length):
    """lm-evaluation-harness 0.4.13: each token predicted once, a full window after one token of context."""
    done = min(length, len(tokens))
    yield [prefix] + tokens[: done - 1], tokens[:done]
    while done < len(tokens):
        end = min(done + length, len(tokens))
        yield tokens[end - 1 - length : end - 1], tokens[done:end]
        done = end


def llama_perplexity(gguf, text, length):
    """Word perplexity of one document, as llama.cpp computes it."""
    import cyllama.llama.llama_cpp as llama
    import numpy

    class Model(llama.LlamaModel):
        # get_logits_ith asks the model for it, which has it in its vocabulary only.
        @property
        def n_vocab(self):
            return self.get_vocab().n_vocab

    llama.disable_logging()
    model = Model(str(gguf), llama.LlamaModelParams())
    vocab = model.get_vocab()
    params = llama.LlamaContextParams()
    params.n_ctx = params.n_batch = params.n_ubatch = length
    context = llama.LlamaContext(model, params)
    total = 0.0
    tokens = list(vocab.tokenize(text, False, True))
    for inputs, targets in windows(tokens, vocab.token_bos(), length):
        context.kv_cache_clear(True)
        batch = llama.LlamaBatch(n_tokens=length, embd=0, n_seq_max=1)
        batch.set_batch(inputs, 0, True)
        context.decode(batch)
        first = len(inputs) - len(targets)
        for i, target in enumerate(targets):
            logits = numpy.asarray(context.get_logits_ith(first + i), dtype=numpy.float64)
            top = logits.max()
            total += logits[target] - top - math.log(numpy.exp(logits - top).sum())
    words = len(re.split(r"\s+", text))
    return math.exp(-total / words)


def halftone(recipe, *arguments):
    """A recipe's results."""
    command = [ROOT / "halftone", "run", recipe, *map(str, arguments), "--json"]
    return json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)["results"]


def artifacts(args):
    """The artifacts of both ways, by name."""
    scheme = f"{{_component_: GGUFWeightOnlyConfig, type: {args.type}, exclude: [lm_head]}}"
    training = [
        "--config", "smollm2_135M/qat_int3", f"checkpoint_dir={args.model.resolve()}",
        f"max_steps_per_epoch={args.steps}", f"optimizer.lr={args.lr}", "lr_scheduler.num_warmup_steps=4",
    ]
    tuned = halftone("full", *training, "~quantizer", f"output_dir={args.out / 'float'}")["model"]
    rounded = args.out / "ptq"
    halftone("quantize", "--config", "quantize", f"checkpoint_dir={tuned}", f"output_dir={rounded}", "dtype=fp32",
             f"quantizer={scheme}")
    trained = halftone("qat", *training, f"quantizer={scheme}", f"output_dir={args.out / 'qat'}")["artifact"]
    return {"float fine-tuned, then PTQ": rounded, "QAT": trained}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=pathlib.Path, nargs="*", help="only measure these GGUF files")
    parser.add_argument("--artifacts", type=pathlib.Path, nargs="*", help="only export and measure these artifacts")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/SmolLM2-135M-Instruct")
    parser.add_argument("--type", default="q4_0", help="a block type of GGUF")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--lr", default="2e-5")
    parser.add_argument("--out", type=lambda path: pathlib.Path(path).resolve(), default=ROOT / "runs/gguf")
    parser.add_argument("--text", type=pathlib.Path, default=ROOT / "models/sotu/1962_john_f_kennedy_d.txt")
    parser.add_argument("--length", type=int, default=512, help="tokens of a window")
    args = parser.parse_args()
    text = args.text.read_text()
    if args.files:
        for file in args.files:
            print(f"{file}: word perplexity {llama_perplexity(file, text, args.length):.4f}")
        return
    rows = []
    for name, artifact in ({a.name: a for a in args.artifacts} if args.artifacts else artifacts(args)).items():
        gguf = args.out / f"{pathlib.Path(artifact).name}-{len(rows)}.gguf"
        halftone("export", "--config", "export", f"checkpoint_dir={artifact}", f"output={gguf}", "replace=true")
        ours = halftone("eval", "--config", "eval", f"checkpoint_dir={artifact}", f"data_files=[{args.text.resolve()}]",
                        f"max_seq_len={args.length}", "dtype=fp32")["perplexity"]["word_perplexity"]
        theirs = llama_perplexity(gguf, text, args.length)
        rows.append((name, ours, theirs))
    print(f"{'word perplexity':30} {'Halftone':>10} {'llama.cpp':>10} {'apart':>8}")
    for name, ours, theirs in rows:
        print(f"{name:30} {ours:10.4f} {theirs:10.4f} {100 * (theirs / ours - 1):+7.2f}%")


if __name__ == "__main__":
    main()
