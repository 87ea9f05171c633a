"""Weights solved for parity: do premiums come out more equal on articles and text that the solver has not seen?

Counts pretokens of documents in the 29 languages and of code, but for 5 % held out (by a hash of the id). Weights are
solved on the even articles of parallel text; the Gini of premiums is measured on the odd ones, and the cost in tokens
on the held-out documents, which count as they come.

    python benchmarks/parity.py DATA_FOLDER --size 32000 --size 151643

DATA_FOLDER holds Parquet files with the columns id, text and language (an ISO code, or "code").
"""

from __future__ import annotations

import argparse
import time

import pyarrow as pa
from count_corpus import read_counts

from curation.recipe import RECIPES_FOLDER
from tokenizer.bpe.counts import PretokenCounter
from tokenizer.bpe.parity import solve
from tokenizer.bpe.trainer import Options, train
from tokenizer.bpe.usage import tokens_by
from tokenizer.composition import composed
from tokenizer.evaluation import gini, read_parallel
from tokenizer.pretokens import MARKS_AS_LETTERS_PATTERN


def parallel_counts(path: str, half: int) -> pa.Table:
    """The count table of every second article."""
    counter = PretokenCounter(MARKS_AS_LETTERS_PATTERN, ("language",))
    for language, articles in read_parallel(path).items():
        counter.add(composed(pa.array(articles[half::2], pa.large_string())), (language,))
    return counter.table()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--parallel", default=str(RECIPES_FOLDER / "demo" / "udhr_parallel.jsonl"))
    parser.add_argument("--size", type=int, action="append")
    parser.add_argument("--max-cost", type=float, default=0.005)
    arguments = parser.parse_args()
    seen, unseen = read_counts(arguments.folder, MARKS_AS_LETTERS_PATTERN)
    halves = [parallel_counts(arguments.parallel, half) for half in (0, 1)]
    print(f"{seen.num_rows:,} rows of counts, {unseen.num_rows:,} held out; cost at most {arguments.max_cost:.2%}")
    for size in arguments.size or [32_000, 151_643]:
        started = time.process_time()
        solution = solve(seen, size, Options(), halves[0], max_cost=arguments.max_cost, show=print)
        seconds = time.process_time() - started
        plain = train(seen, size, weights={})
        fair = train(seen, size, weights=solution.weights)
        print(f"\n{size:,} tokens: {solution.trainings} trainings, {seconds:,.0f} CPU seconds")
        for name, table in (("solved on", halves[0]), ("held out", halves[1])):
            before, after = (gini(list(tokens_by(table, v).values())) for v in (plain, fair))
            print(f"  Gini of premiums, articles {name:<10}{before:.4f} -> {after:.4f}  ({after / before:.2f}x)")
        for name, table in (("counted", seen), ("held out", unseen)):
            before, after = (sum(tokens_by(table, v).values()) for v in (plain, fair))
            print(f"  tokens, documents {name:<17}{before:,} -> {after:,}  ({after / before - 1:+.2%})")
        before_by, after_by = tokens_by(halves[1], plain), tokens_by(halves[1], fair)
        lost_before, lost_after = tokens_by(unseen, plain), tokens_by(unseen, fair)
        print(f"  {'':<10}{'weight':>8}{'premium':>9}{'fair':>7}{'held-out tokens':>17}")
        for language in before_by:
            print(
                f"  {language:<10}{solution.weights[language]:>8.2f}{before_by[language] / before_by['en']:>9.2f}"
                f"{after_by[language] / after_by['en']:>7.2f}{lost_after[language] / lost_before[language] - 1:>+17.1%}"
            )
        print(f"  {'code':<10}{'':>24}{lost_after['code'] / lost_before['code'] - 1:>+17.1%}")


if __name__ == "__main__":
    main()
