"""The `glotmill` command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer
from rich.table import Column, Table

from curation.readers.units import PlanError
from curation.recipe import RecipeError, load_recipe
from filters.policy import PolicyError, load_policy
from filters.signals import SIGNALS
from jobs import pipeline, progress
from jobs.run_context import JobError, Run

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
RecipePath = Annotated[str, typer.Argument(help="the recipe, a YAML file")]
Output = Annotated[str | None, typer.Option(help="folder or URL of the run, instead of the recipe's")]
Workers = Annotated[int, typer.Option(help="local worker processes; 0: one per core")]
BeamOptions = Annotated[
    list[str] | None, typer.Option("--beam", help="an option for Beam, such as --runner=...; repeatable")
]


def _open(recipe: str, output: str | None, workers: int, beam_options: list[str] | None) -> Run:
    loaded = load_recipe(recipe)
    load_policy(loaded.select.policy)
    return Run(loaded, (output or loaded.output).rstrip("/"), workers, tuple(beam_options or ()))


def _command(until: str, help_: str) -> None:
    def command(recipe: RecipePath, output: Output = None, workers: Workers = 0, beam: BeamOptions = None) -> None:
        pipeline.run_until(_open(recipe, output, workers, beam), until)

    app.command(until, help=help_)(command)


for _name, _help in pipeline.HELP.items():
    _command(_name, _help)


@app.command()
def run(recipe: RecipePath, output: Output = None, workers: Workers = 0, beam: BeamOptions = None) -> None:
    """Run the whole recipe: documents to report. Finished work is kept; a killed run goes on where it stopped."""
    opened = _open(recipe, output, workers, beam)
    pipeline.run_until(opened, pipeline.ORDER[-1])
    pipeline.print_places(opened)


@app.command()
def plan(recipe: RecipePath, output: Output = None) -> None:
    """Check the recipe, its policy and its inputs, and say what a run would do, before a minute is lost."""
    pipeline.print_plan(_open(recipe, output, 0, None))


@app.command()
def signals() -> None:
    """The table of signals that `annotate` stores for every document."""
    table = Table(Column("name", no_wrap=True), "type", "unit", "definition", "source", box=None)
    for signal in SIGNALS:
        table.add_row(*signal)
    progress.console.print(table)


@app.command()
def warmup() -> None:
    """Compile all kernels now, so that no job has to."""
    pipeline.warm_up()


def _guarded(call: Callable[[], object]) -> int:
    try:
        call()
    except (RecipeError, PolicyError, PlanError, JobError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on where it was", file=sys.stderr)
        return 130
    return 0


def main() -> None:
    sys.exit(_guarded(app))
