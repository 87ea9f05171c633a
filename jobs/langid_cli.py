"""The commands `glotmill langid evaluate` and `glotmill langid train`."""

from __future__ import annotations

from typing import Annotated

import typer

langid = typer.Typer(no_args_is_help=True, help="Language identification.")


@langid.command()
def evaluate(
    *,
    input: Annotated[list[str], typer.Option(help="labelled texts, Parquet or JSON lines: file, pattern; repeatable")],
    text_column: Annotated[str, typer.Option(help="column of the text")] = "text",
    language_column: Annotated[
        str, typer.Option(help="column of the language: BCP 47 or ISO 639 codes, such as pt-BR, zho_Hans, tgl")
    ] = "language",
    model: Annotated[str | None, typer.Option(help="fastText model; lid.176 by default")] = None,
    plain: Annotated[
        int | None, typer.Option(min=50, help="the model's own answer for so many first characters, to compare with")
    ] = None,
    output: Annotated[str | None, typer.Option(help="JSON file for all figures")] = None,
) -> None:
    """Precision, recall, F1, calibration and confusions by language, for short texts, sentences and documents."""
    from jobs.langid_evaluate import evaluate_langid
    from jobs.quality_read import ColumnNames

    evaluate_langid(input, ColumnNames(text_column, language_column), model, plain, output)


@langid.command()
def train(
    *,
    input: Annotated[
        list[str],
        typer.Option(help="labelled texts, Parquet or JSON lines: file, pattern; repeatable; a file is a source"),
    ],
    output: Annotated[str, typer.Option(help="file of the specialist, .npz")],
    language: Annotated[
        list[str] | None, typer.Option(help="only texts of this language; repeatable; all by default")
    ] = None,
    held_out: Annotated[
        list[str] | None, typer.Option(help="labelled texts of other sources, to balance the languages on; repeatable")
    ] = None,
    words: Annotated[
        list[str] | None,
        typer.Option(help="words of two of the languages, those of both twice: labelled like the texts; repeatable"),
    ] = None,
    text_column: Annotated[str, typer.Option(help="column of the text")] = "text",
    language_column: Annotated[str, typer.Option(help="column of the language")] = "language",
) -> None:
    """Fit a specialist that tells a few neighbouring languages apart by their words."""
    from jobs.langid_train import TrainingFiles, train_specialist
    from jobs.quality_read import ColumnNames

    columns = ColumnNames(text_column, language_column)
    train_specialist(TrainingFiles(input, words or [], held_out or []), columns, language or [], output)
