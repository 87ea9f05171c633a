"""The command `glotmill langid evaluate`."""

from __future__ import annotations

from typing import Annotated

import typer

langid = typer.Typer(no_args_is_help=True, help="Language identification.")


@langid.callback()
def _group() -> None:
    """Language identification."""  # a group, though it has one command


@langid.command()
def evaluate(
    *,
    input: Annotated[list[str], typer.Option(help="labelled texts, Parquet or JSON lines: file, pattern; repeatable")],
    text_column: Annotated[str, typer.Option(help="column of the text")] = "text",
    language_column: Annotated[
        str, typer.Option(help="column of the language: BCP 47 or ISO 639 codes, such as pt-BR, zho_Hans, tgl")
    ] = "language",
    model: Annotated[str | None, typer.Option(help="fastText model; lid.176 by default")] = None,
    characters: Annotated[int, typer.Option(min=50, help="of each text that the identifier reads")] = 1000,
    output: Annotated[str | None, typer.Option(help="JSON file for all figures")] = None,
) -> None:
    """Precision, recall, F1, calibration and confusions by language, for short texts, sentences and documents."""
    from jobs.langid_evaluate import evaluate_langid
    from jobs.quality_read import ColumnNames

    evaluate_langid(input, ColumnNames(text_column, language_column), model, characters, output)
