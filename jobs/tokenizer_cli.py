"""The command `glotmill tokenizer merge-counts`."""

from __future__ import annotations

from typing import Annotated

import typer

tokenizer = typer.Typer(no_args_is_help=True, help="Counts of pretokens and the tokenizers trained from them.")


@tokenizer.callback()
def _group() -> None:
    """Keeps a single command from taking the place of the group."""


@tokenizer.command("merge-counts")
def merge_counts(
    runs: Annotated[list[str], typer.Argument(help="runs that have counted, or earlier outputs of this command")],
    output: Annotated[str, typer.Option(help="folder or URL of the merged counts")],
) -> None:
    """Add up the pretoken counts of several runs, for tokenizer.add_counts of a recipe."""
    from jobs.merge_counts import merge_counts

    merge_counts([run.rstrip("/") for run in runs], output.rstrip("/"))
