"""The commands `glotmill tokenizer evaluate` and `glotmill tokenizer merge-counts`."""

from __future__ import annotations

from typing import Annotated

import typer

tokenizer = typer.Typer(no_args_is_help=True, help="Counts of pretokens; tokenizers, measured side by side.")


@tokenizer.command()
def evaluate(
    tokenizers: Annotated[
        list[str],
        typer.Argument(
            help=r"\[name=]tokenizer: folder, tokenizer.json, or tiktoken file with its pattern: "
            "FILE.tiktoken@PATTERN (gpt2, cl100k, o200k, qwen2, or marks_as_letters as of Qwen3.5)"
        ),
    ],
    *,
    text: Annotated[
        list[str], typer.Option(help="run, or texts in Parquet or JSON lines: file, pattern, folder; repeatable")
    ],
    output: Annotated[str, typer.Option(help="folder or URL for evaluation.json, .md and .html")],
    parallel: Annotated[
        str | None, typer.Option(help="JSON lines of language, article and text: the same content in every language")
    ] = None,
    megabytes: Annotated[
        float, typer.Option(min=0.001, help="text of each language, domain and kind of code to measure at most")
    ] = 2.0,
    text_column: Annotated[str, typer.Option(help="column of the text")] = "text",
    language_column: Annotated[str, typer.Option(help="column of the language")] = "language",
    code_column: Annotated[
        str | None, typer.Option(help="column of the programming language of code; default: file ending of the url")
    ] = None,
) -> None:
    """Compression, fertility, premium over English, use of the vocabulary and habits, side by side."""
    from jobs.tokenizer_evaluate import evaluate_tokenizers
    from jobs.tokenizer_text import TextColumns

    columns = TextColumns(text_column, language_column, code_column)
    evaluate_tokenizers(tokenizers, text, parallel, output, columns, round(megabytes * 1e6))


@tokenizer.command("merge-counts")
def merge_counts(
    runs: Annotated[list[str], typer.Argument(help="runs that have counted, or earlier outputs of this command")],
    output: Annotated[str, typer.Option(help="folder or URL of the merged counts")],
) -> None:
    """Add up the pretoken counts of several runs, for tokenizer.add_counts of a recipe."""
    from jobs.merge_counts import merge_counts

    merge_counts([run.rstrip("/") for run in runs], output.rstrip("/"))
