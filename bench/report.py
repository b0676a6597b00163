"""Makes docs/performance.md and its plots from the lines that bench.py wrote."""
import json
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "bench" / "results" / "published.jsonl"
GIB = 1 << 30
# How far two losses may be apart, as a share: in the first step, and in those after it. Roundings differ, and where they move an
# activation or a weight to another code, two runs of QAT part (docs/log.md); a wrong mask, grid or order of data is further away.
FIRST_STEP, LATER_STEPS = 0.01, 0.03

NAMES = {
    "full": "full fine-tuning",
    "qat_8da4w": "QAT 8da4w g32",
    "qat_int4wo": "QAT int4 weight-only g32",
    "qat_int4wo_scales": "the same, gradient through the scales",
    "lora": "LoRA r 8",
    "qat_lora": "QAT+LoRA 8da4w g32, separate",
    "qat_lora_merged": "QAT+LoRA 8da4w g32, merged",
}
# The case of the peers that one of ours is held against.
COUNTERPART = {"qat_int4wo_scales": "qat_int4wo", "qat_lora_merged": "qat_lora"}

# claim, ours or theirs (side, case) over (side, case), time or memory, the most that the ratio may be
TARGETS = [
    ("QAT 8da4w step over our own plain step", ("ours", "qat_8da4w"), ("ours", "full"), "time", 1.05),
    ("QAT int4 step over our own plain step", ("ours", "qat_int4wo"), ("ours", "full"), "time", 1.05),
    ("QAT 8da4w peak memory over our own plain", ("ours", "qat_8da4w"), ("ours", "full"), "memory", 1.05),
    ("QAT int4 peak memory over our own plain", ("ours", "qat_int4wo"), ("ours", "full"), "memory", 1.05),
    ("plain step over transformers, eager", ("ours", "full"), ("eager", "full"), "time", 0.85),
    ("QAT 8da4w step over torchao, eager", ("ours", "qat_8da4w"), ("eager", "qat_8da4w"), "time", 0.5),
    ("QAT int4 step over torchao, eager", ("ours", "qat_int4wo"), ("eager", "qat_int4wo"), "time", 0.5),
    ("QAT 8da4w step over torchao, compiled", ("ours", "qat_8da4w"), ("compiled", "qat_8da4w"), "time", 0.85),
    ("QAT int4 step over torchao, compiled", ("ours", "qat_int4wo"), ("compiled", "qat_int4wo"), "time", 0.85),
    ("QAT 8da4w peak memory over torchao's", ("ours", "qat_8da4w"), ("eager", "qat_8da4w"), "memory", 0.8),
    ("QAT int4 peak memory over torchao's", ("ours", "qat_int4wo"), ("eager", "qat_int4wo"), "memory", 0.8),
    ("QAT+LoRA step over torchao's full QAT (1.89 times faster)",
     ("ours", "qat_lora"), ("eager", "qat_8da4w"), "time", 1 / 1.89),
    ("QAT+LoRA peak memory over torchao's full QAT (36 % less)",
     ("ours", "qat_lora"), ("eager", "qat_8da4w"), "memory", 0.64),
    ("QAT+LoRA merged step over torchao's full QAT (1.89 times faster)",
     ("ours", "qat_lora_merged"), ("eager", "qat_8da4w"), "time", 1 / 1.89),
    ("QAT+LoRA merged peak memory over torchao's full QAT (36 % less)",
     ("ours", "qat_lora_merged"), ("eager", "qat_8da4w"), "memory", 0.64),
    ("QAT+LoRA separate step over our own LoRA", ("ours", "qat_lora"), ("ours", "lora"), "time", 1.05),
    ("QAT+LoRA merged step over our own LoRA", ("ours", "qat_lora_merged"), ("ours", "lora"), "time", None),
]


def read(file):
    with open(file, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


class Setting:
    """The measurements of one sequence length, with or without activation checkpointing."""

    def __init__(self, head, seq, checkpointing, rows):
        self.head, self.seq, self.checkpointing, self.rows = head, seq, checkpointing, rows
        self.title = "%d tokens%s" % (seq, ", activation checkpointing" if checkpointing else "")

    def of(self, side, case):
        """Round to measurement."""
        return {r["round"]: r for r in self.rows if (r["side"], r["case"]) == (side, case) and "failed" not in r}

    def failure(self, side, case):
        return next((r["failed"] for r in self.rows if (r["side"], r["case"]) == (side, case) and "failed" in r), None)

    def timed(self, row):
        return row["seconds"][self.head["warmup"]:]

    def figure(self, row, measure):
        return median(self.timed(row)) if measure == "time" else row["peak_bytes"]

    def ratios(self, over, under, measure):
        """One of each round that has both."""
        a, b = self.of(*over), self.of(*under)
        return sorted(self.figure(a[n], measure) / self.figure(b[n], measure) for n in a.keys() & b.keys())

    def seconds(self, side, case):
        return [s for row in self.of(side, case).values() for s in self.timed(row)]

    def peak(self, side, case):
        return max((row["peak_bytes"] for row in self.of(side, case).values()), default=None)

    def losses(self, case):
        """Ours and theirs of the same steps, or nothing where there is no peer."""
        a, b = self.of("ours", case), self.of("eager", case)
        rounds = a.keys() & b.keys()
        return next(([(x, y) for x, y in zip(a[n]["losses"], b[n]["losses"])] for n in sorted(rounds)), [])


def settings(rows):
    head = rows[0]
    rows = [r for r in rows if r["kind"] == "measurement"]
    keys = sorted({(r["seq"], r["checkpointing"]) for r in rows})
    return [Setting(head, *key, [r for r in rows if (r["seq"], r["checkpointing"]) == key]) for key in keys]


def differences(losses):
    """The first step's, and the largest of any."""
    shares = [abs(a - b) / b for a, b in losses]
    return shares[0], max(shares)


def agree(losses):
    first, largest = differences(losses)
    return first <= FIRST_STEP and largest <= LATER_STEPS


def same_work(rows):
    """Whether the losses of both sides agree in every case."""
    return all(agree(losses) for s in settings(rows) for losses in map(s.losses, NAMES) if losses)


def table(header, rows):
    return ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"] + ["| " + " | ".join(r) + " |" for r in rows] + [""]


def spread(values, form="%.2f"):
    if not values:
        return ""
    return (form + " (" + form + " to " + form + ")") % (median(values), min(values), max(values))


def gib(value):
    return "" if value is None else "%.2f" % (value / GIB)


def measurements(s):
    """The table of a setting: a row for each case and side."""
    rows = []
    tokens = s.head["batch"] * (s.seq - 1)
    for case, name in NAMES.items():
        peer = COUNTERPART.get(case, case)
        for side in ("ours", "eager", "compiled"):
            seconds = s.seconds(side, case)
            label = {"ours": "**Halftone**", "eager": "Python", "compiled": "Python, compiled"}[side]
            if not seconds:
                failed = s.failure(side, case)
                if failed:
                    rows.append([name, label, "failed: " + failed.replace("|", "/"), "", "", "", ""])
                continue
            time = memory = ""
            if side != "ours":
                time = spread(s.ratios(("ours", case), (side, case), "time"))
                memory = spread(s.ratios(("ours", case), (side, case), "memory"))
            elif peer != case:
                time = spread(s.ratios(("ours", case), ("eager", peer), "time"))
                memory = spread(s.ratios(("ours", case), ("eager", peer), "memory"))
            rows.append([name, label, spread(seconds), "%.0f" % (tokens / median(seconds)), gib(s.peak(side, case)), time, memory])
    return table(["case", "side", "step, s", "tokens/s", "peak, GiB", "ours/theirs, time", "ours/theirs, memory"], rows)


def compile_times(s):
    """The first compiled process found nothing cached."""
    rows = []
    for case, name in NAMES.items():
        first = s.of("compiled", case).get(1)
        if first:
            warm = first["seconds"][:s.head["warmup"]]
            rows.append("%s %.0f s" % (name, sum(warm) - len(warm) * median(s.timed(first))))
    return ["Compiling, once, before the first step is done and not part of the steps above: %s." % ", ".join(rows), ""] if rows else []


def agreement(s):
    rows = []
    for case, name in NAMES.items():
        losses = s.losses(case)
        if losses:
            first, largest = differences(losses)
            rows.append([name, "%.4f" % losses[0][0], "%.4f" % losses[0][1], "%.2f %%" % (100 * first),
                         "%.4f" % losses[-1][0], "%.4f" % losses[-1][1], "%.2f %%" % (100 * largest),
                         "yes" if agree(losses) else "**no**"])
    if not rows:
        return []
    return ["The same work? Losses of the first and the last step of a measurement; at most %.0f %% apart in the first, %.0f %% in any:"
            % (100 * FIRST_STEP, 100 * LATER_STEPS), ""] \
        + table(["case", "first, Halftone", "first, Python", "apart", "last, Halftone", "last, Python", "most apart", "agree"], rows)


def targets(all_settings):
    """What was aimed at, and whether it was reached."""
    rows = []
    for claim, over, under, measure, limit in TARGETS:
        for s in all_settings:
            ratios = s.ratios(over, under, measure)
            verdict = "not measured" if not ratios else "no target" if limit is None else \
                "met" if median(ratios) <= limit else "**missed**"
            rows.append([claim, s.title, "" if limit is None else "%.3f" % limit, spread(ratios, "%.3f"), verdict])
    if not rows:
        return []
    aims = [r for r in rows if r[2]]
    summary = "Of %d targets %d were met, %d **missed**, %d not measured." % (
        len(aims), sum(r[4] == "met" for r in aims), sum(r[4] == "**missed**" for r in aims), sum(r[4] == "not measured" for r in aims))
    return ["## Targets", "", summary + " Ratios are medians over rounds, with the smallest and the largest.", ""] \
        + table(["ratio", "at", "at most", "measured", ""], rows)


def scaling(rows):
    rows = [r for r in rows if r["kind"] == "scaling"]
    if not rows:
        return []
    text = ["## Scaling", "", "Halftone alone, random weights, the median of the steps after the second.", ""]
    for axis, key, label in (("length", "seq", "tokens of a sequence"), ("size", "size", "parameters"),
                             ("accumulation", "accumulation", "batches of a step")):
        points = [r for r in rows if r["axis"] == axis]
        values = list(dict.fromkeys(r[key] for r in points))
        cells = []
        for value in values:
            by_case = {r["case"]: r for r in points if r[key] == value}
            cells.append([str(value)] + [cell for case in ("full", "qat_8da4w") for cell in scaling_cells(by_case.get(case))])
        if cells:
            text += table([label, "full: step, s", "peak, GiB", "QAT 8da4w: step, s", "peak, GiB"], cells)
    return text


def scaling_cells(row):
    if row is None:
        return ["", ""]
    if "failed" in row:
        return ["failed: " + row["failed"].replace("|", "/"), ""]
    return ["%.2f" % median(row["seconds"][2:]), gib(row["peak_bytes"])]


def machine(head, commands):
    return [
        "| | |", "|---|---|",
        "| date | %s |" % head["date"],
        "| command | %s |" % "<br>".join("`%s`" % c for c in commands),
        "| processor | %s (family/model %s), %d processors, %s |" % (
            head["cpu"], head["family"], head["processors"], ", ".join(head["flags"]) or "none of AVX2, AVX-512, AMX"),
        "| memory | %d GiB |" % head["memory_gib"],
        "| threads | %d on both sides |" % head["threads"],
        "| model | %s, %s, batch %d, AdamW, gradients clipped to norm 1 |" % (head["model"], head["dtype"], head["batch"]),
        "| Halftone | %s, commit %s |" % (head["halftone"], head["commit"]),
        "| peers | Python %s, %s |" % (head["python"], ", ".join("%s %s" % p for p in head["peers"].items())),
        "",
    ]


def page(rows, plots=False):
    head, all_settings = rows[0], settings(rows)
    commands = dict.fromkeys(row["command"] for row in rows if row["kind"] == "session")
    text = ["# Performance", "",
            "Halftone beside its Python peers: transformers and torch, torchao for QAT, peft for LoRA, both composed for QAT+LoRA.",
            "Written by [bench/](../bench/README.md), which says what is measured and how; don't edit.", ""]
    text += machine(head, commands)
    load = [r["load"] for r in rows if "load" in r]
    if load:
        text += ["Before the measurements the machine's load was %.1f in the median and %.1f at most: with much more than 0 other"
                 % (median(load), max(load)), "work was going on, and ratios hold better than seconds.", ""]
    text += targets(all_settings)
    for s in all_settings:
        text += ["## " + s.title[0].upper() + s.title[1:], ""]
        text += measurements(s) + compile_times(s) + agreement(s)
    text += scaling(rows)
    if plots and all_settings:
        text += ["## Plot", "", "![Step time and peak memory of each case](performance.svg)", ""]
    return "\n".join(text)


COLOURS = {"ours": "#2a6f97", "eager": "#e09f3e", "compiled": "#9e6240"}


def plot(rows):
    """Bars: step time on the left, peak memory on the right, a block for each setting."""
    out, y = [], 20
    for side, x, name in (("ours", 230, "Halftone"), ("eager", 330, "Python"), ("compiled", 420, "Python, compiled")):
        out += ['<rect x="%d" y="%d" width="12" height="12" fill="%s"/>' % (x, y - 10, COLOURS[side]), words_at(x + 17, y, name)]
    for s in settings(rows):
        y += 34
        out += [words_at(10, y, s.title, "bold"), words_at(230, y, "seconds a step", "bold"), words_at(580, y, "GiB at the peak", "bold")]
        y += 10
        sides = [(c, side) for c in NAMES for side in COLOURS if s.of(side, c)]
        columns = [(230, {k: median(s.seconds(k[1], k[0])) for k in sides}),
                   (580, {k: s.peak(k[1], k[0]) / GIB for k in sides})]
        for case in NAMES:
            here = [key for key in sides if key[0] == case]
            for i, key in enumerate(here):
                if i == 0:
                    out.append(words_at(10, y + 11, NAMES[case]))
                for x, values in columns:
                    width = 250 * values[key] / max(values.values())
                    out += ['<rect x="%d" y="%d" width="%.1f" height="12" fill="%s"/>' % (x, y, width, COLOURS[key[1]]),
                            words_at(x + width + 5, y + 10, "%.2f" % values[key])]
                y += 14
            y += 5 if here else 0
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="900" height="%d" font-family="sans-serif" font-size="12">' % (y + 10)
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>'] + out + ["</svg>", ""])


def words_at(x, y, words, weight="normal"):
    return '<text x="%.1f" y="%.1f" font-weight="%s">%s</text>' % (x, y, weight, words)


def publish(rows):
    """The page, its plot, and the measurements behind them."""
    docs = ROOT / "docs"
    (docs / "performance.md").write_text(page(rows, plots=True), encoding="utf-8")
    (docs / "performance.svg").write_text(plot(rows), encoding="utf-8")
    PUBLISHED.parent.mkdir(exist_ok=True)
    PUBLISHED.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
