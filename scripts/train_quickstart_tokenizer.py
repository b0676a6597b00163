"""Makes quickstart/base-model/tokenizer.json: a byte-level BPE of 1,024 tokens, trained on the quickstart's own texts.

The only part of the quickstart that Halftone does not make itself. Needs `pip install tokenizers==0.23.3`.

    python scripts/train_quickstart_tokenizer.py
"""

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

ROOT = Path(__file__).resolve().parent.parent / "quickstart"
VOCABULARY = 1024
END_OF_TEXT = "<|endoftext|>"


def main():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    files = sorted(str(p) for p in (ROOT / "text" / "pretrain").glob("*.txt"))
    tokenizer.train(
        files,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=[END_OF_TEXT],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.save(str(ROOT / "base-model" / "tokenizer.json"), pretty=False)


if __name__ == "__main__":
    main()
