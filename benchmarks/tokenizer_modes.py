"""The default mode against the merges of `tokenizers` (``hf_exact``): bytes per token of held-out text, by language.

Counts documents in the 29 languages and code, but for 5 % held out (by a hash of the id); trains a vocabulary in either
mode and encodes the held-out documents with both. Also: how many tokens hold a part of a character, and what backing
off rare pretokens costs.

    python benchmarks/tokenizer_modes.py DATA_FOLDER --size 32000 --size 151643 --back-off 2 --back-off 5

DATA_FOLDER holds Parquet files with the columns id, text and language (an ISO code, or "code").
"""

from __future__ import annotations

import argparse

import numpy as np
from count_corpus import read_counts

from tokenizer.bpe.back_off import back_off
from tokenizer.bpe.tokens import missing_bytes
from tokenizer.bpe.trainer import train, train_exact
from tokenizer.bpe.usage import tokens_by
from tokenizer.bpe.vocabulary import Vocabulary, initial_vocabulary
from tokenizer.pretokens import MARKS_AS_LETTERS_PATTERN, QWEN2_PATTERN


def broken(vocabulary: Vocabulary) -> int:
    """Tokens of more than one byte that are neither whole characters nor the beginning of one."""
    tokens = [np.frombuffer(token, np.uint8) for token in vocabulary.tokens if len(token) > 1]
    return sum(missing_bytes(token, 0, token.size) < 0 for token in tokens)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--size", type=int, action="append")
    parser.add_argument("--back-off", type=int, action="append", default=[])
    arguments = parser.parse_args()
    exact_seen, exact_unseen = read_counts(arguments.folder, QWEN2_PATTERN)
    seen, unseen = read_counts(arguments.folder, MARKS_AS_LETTERS_PATTERN)
    size_of = tokens_by(unseen, initial_vocabulary())  # a token for each byte
    backed_off = {k: back_off(seen, k) for k in arguments.back_off}
    for size in arguments.size or [32_000, 151_643]:
        exact, default = train_exact(exact_seen, size), train(seen, size)
        columns = {"hf_exact": tokens_by(exact_unseen, exact), "default": tokens_by(unseen, default)}
        for k, table in backed_off.items():
            columns[f"back_off {k}"] = tokens_by(unseen, train(table, size))
        print(f"\n{size:,} tokens; tokens that break a character: {broken(exact):,} and {broken(default):,}")
        print(f"{'':<10}{'held-out kB':>12}{'hf_exact':>10}{'default':>10}" + "".join(
            f"{name:>12}" for name in list(columns)[1:]))  # fmt: skip
        for language in [*size_of, "all"]:
            kilobytes = sum(size_of.values()) if language == "all" else size_of[language]
            tokens = [sum(c.values()) if language == "all" else c[language] for c in columns.values()]
            gains = "".join(f"{tokens[0] / found - 1:>+12.2%}" for found in tokens[1:])
            print(f"{language:<10}{kilobytes / 1e3:>12,.0f}{kilobytes / tokens[0]:>10.3f}"
                  f"{kilobytes / tokens[1]:>10.3f}{gains}")  # fmt: skip


if __name__ == "__main__":
    main()
