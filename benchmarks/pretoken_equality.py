"""Compiled scanners against the pre-tokenizer of ``tokenizers`` on random strings of all Unicode planes.

    python benchmarks/pretoken_equality.py [--strings 100000] [--seed 0]

Half of the characters are random code points of all planes that UTF-8 can hold, half are those on which a pattern's
alternatives compete: line ends, spaces, digits, apostrophes, marks, letters of either case and none. Prints the strings
and pretokens compared for each pattern, and stops with the first string that is cut otherwise.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import numpy as np
from tokenizers import Regex, pre_tokenizers

from tokenizer.pretoken_table import PretokenTable
from tokenizer.pretokens import PATTERNS

TRICKY = (
    "'''sStTmMdDrReEvVlL\u017f\u212a 1234٣½\t\n\n\r  \u00a0\u3000\u2028\u0085"
    "-._!?/aÉßǅʰжК\u093f\u0e31中\u0301🙂\u200d\0"
)
LONGEST = 40  # characters


def random_strings(count: int, seed: int) -> Iterator[str]:
    """``count`` random strings of 1 to LONGEST characters."""
    generator = np.random.default_rng(seed)
    tricky = np.array([ord(character) for character in TRICKY])
    for _ in range(count):
        length = int(generator.integers(1, LONGEST + 1))
        planes, low = generator.integers(0, 17, length), generator.integers(0, 0x10000, length)
        planes[generator.random(length) < 0.6] = 0
        code_points = planes << 16 | low
        low = low % 0x3000  # where most scripts with cases and marks are
        code_points = np.where(generator.random(length) < 0.3, low, code_points)
        share = generator.random()
        code_points = np.where(generator.random(length) < share, generator.choice(tricky, length), code_points)
        code_points[(code_points >= 0xD800) & (code_points < 0xE000)] = ord(" ")
        yield code_points.astype(np.uint32).tobytes().decode("utf-32-le")


def compare(pattern: str, texts: list[str]) -> int:
    """The number of pretokens in ``texts``. Raises AssertionError for a text that is cut otherwise."""
    splitter = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    table = PretokenTable(pattern)
    data = np.frombuffer("".join(texts).encode(), np.uint8)
    offsets = np.cumsum([0, *(len(text.encode()) for text in texts)])
    numbers, ends = table.add(data, offsets)
    known, first = table.strings(0), 0
    for text, end in zip(texts, ends.tolist(), strict=True):
        ours = [known[number] for number in numbers[first:end]]
        theirs = [piece for piece, _ in splitter.pre_tokenize_str(text)]
        assert ours == theirs, f"{text!r} is cut into {ours}, not {theirs}"
        first = end
    return int(numbers.size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strings", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    texts = list(random_strings(arguments.strings, arguments.seed))
    planes = {ord(character) >> 16 for text in texts for character in text}
    print(f"{len(texts):,} strings, {sum(map(len, texts)):,} characters of {len(planes)} planes")
    for name, pattern in PATTERNS.items():
        try:
            pretokens = sum(compare(pattern, texts[i : i + 1000]) for i in range(0, len(texts), 1000))
        except AssertionError as difference:
            sys.exit(f"{name}: {difference}")
        print(f"{name:<30}{pretokens:>12,} pretokens, identical")


if __name__ == "__main__":
    main()
