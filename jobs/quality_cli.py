"""The commands `glotmill quality train`, `evaluate` and `importance`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from jobs.quality_read import ColumnNames

# What trains loads Numba and fastText: only these commands import it.

quality = typer.Typer(no_args_is_help=True, help="Classifiers of quality from a positive and a negative set.")
_FILES = "Parquet or JSON lines: a file, a pattern in quotes, or a folder such as a run's curated/; repeatable"
Positive = Annotated[list[str], typer.Option(help=f"documents that stand for what is wanted. {_FILES}")]
Negative = Annotated[list[str], typer.Option(help=f"documents that stand for the rest. {_FILES}")]
TextColumn = Annotated[str, typer.Option(help="column of the text")]
LanguageColumn = Annotated[
    str | None, typer.Option(help="column of the language; 'language' where there is one; else identified")
]
IdColumn = Annotated[str | None, typer.Option(help="column of the id, which decides what is held out; 'id' by default")]
LicenseColumn = Annotated[str | None, typer.Option(help="column of the licence; 'license' or 'licence' by default")]


def _columns(text: str, language: str | None, id_: str | None, license_: str | None) -> ColumnNames:
    from jobs.quality_read import ColumnNames

    return ColumnNames(text, language, id_, license_)


@quality.command()
def train(
    *,
    positive: Positive,
    negative: Negative,
    output: Annotated[str, typer.Option(help="folder or URL for model, calibration and card")],
    text_column: TextColumn = "text",
    language_column: LanguageColumn = None,
    id_column: IdColumn = None,
    license_column: LicenseColumn = None,
    dimension: Annotated[int, typer.Option(min=1, help="numbers a word or n-gram has in the model")] = 64,
    epochs: Annotated[int, typer.Option(min=1, help="passes over the documents")] = 5,
    word_ngrams: Annotated[int, typer.Option(min=1, max=8, help="longest n-gram of words that counts")] = 2,
    buckets: Annotated[
        int, typer.Option(min=1, help="rows that n-grams share; the model takes 4 bytes x dimension each")
    ] = 500_000,
    learning_rate: Annotated[float, typer.Option(min=0.0001, help="at the start; falls to zero")] = 0.5,
    minimum_count: Annotated[int, typer.Option(min=1, help="rarer words have no row of their own")] = 3,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="of the first weights and of what is held out")] = 0,
    holdout: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="share held out: half calibrates, half tests")
    ] = 0.1,
    least_documents: Annotated[int, typer.Option(min=1, help="of each class, or nothing is trained")] = 100,
) -> None:
    """Train a fastText classifier on two sets, measure it on held-out documents, write model, calibration and card."""
    from filters.quality_model import Parameters
    from jobs.quality_train import Settings, train_quality

    parameters = Parameters(dimension, epochs, word_ngrams, buckets, learning_rate, minimum_count, seed)
    columns = _columns(text_column, language_column, id_column, license_column)
    train_quality(positive, negative, output.rstrip("/"), Settings(columns, parameters, holdout, least_documents))


@quality.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="folder written by `glotmill quality train`")],
    *,
    positive: Positive,
    negative: Negative,
    text_column: TextColumn = "text",
    language_column: LanguageColumn = None,
    id_column: IdColumn = None,
    license_column: LicenseColumn = None,
) -> None:
    """Measure a trained classifier on labelled files that it was not trained on."""
    from jobs.quality_train import evaluate_quality

    columns = _columns(text_column, language_column, id_column, license_column)
    evaluate_quality(model.rstrip("/"), positive, negative, columns)


@quality.command()
def importance(
    *,
    target: Annotated[list[str], typer.Option(help=f"documents to select towards. {_FILES}")],
    raw: Annotated[list[str], typer.Option(help=f"documents to select from. {_FILES}")],
    output: Annotated[str, typer.Option(help="folder or URL for weights and card")],
    text_column: TextColumn = "text",
    language_column: LanguageColumn = None,
    id_column: IdColumn = None,
    license_column: LicenseColumn = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="of what is held out")] = 0,
    holdout: Annotated[float, typer.Option(min=0.01, max=0.9, help="share held out to measure on")] = 0.1,
    least_documents: Annotated[int, typer.Option(min=1, help="of either set that a language needs")] = 100,
) -> None:
    """Fit importance weights (hashed units and pairs, DSIR) of a target set against a raw set, by language."""
    from filters.quality_model import Parameters
    from jobs.quality_importance import fit_importance
    from jobs.quality_train import Settings

    columns = _columns(text_column, language_column, id_column, license_column)
    settings = Settings(columns, Parameters(seed=seed), holdout, least_documents)
    fit_importance(target, raw, output.rstrip("/"), settings)
