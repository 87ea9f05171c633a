"""The `glotmill` command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from curation.readers.units import PlanError
from curation.recipe import RecipeError, load_recipe
from curation.storage import StorageError
from filters import calibrate
from filters.policy import PolicyError, load_policy
from filters.signal_page import signals_page
from filters.signals import SIGNALS
from jobs import progress
from jobs.calibrate import calibrate_policy
from jobs.errors import JobError
from jobs.explain import print_document, print_file
from jobs.langid_cli import langid
from jobs.order import HELP, ORDER
from jobs.quality_cli import quality
from jobs.shards_cli import shards
from jobs.tokenizer_cli import tokenizer
from jobs.what_if import print_what_if

if TYPE_CHECKING:
    from jobs.run_context import Run

# `jobs.pipeline` and `jobs.run_context` load Beam and PyTorch, three seconds: only commands that run jobs import them.

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(quality, name="quality")
app.add_typer(langid, name="langid")
app.add_typer(shards, name="shards")
app.add_typer(tokenizer, name="tokenizer")
RecipePath = Annotated[str, typer.Argument(help="the recipe, a YAML file")]
Output = Annotated[str | None, typer.Option(help="folder or URL of the run, instead of the recipe's")]
Workers = Annotated[int, typer.Option(help="local worker processes; 0: one per core")]
BeamOptions = Annotated[
    list[str] | None, typer.Option("--beam", help="an option for Beam, such as --runner=...; repeatable")
]


def _open(recipe: str, output: str | None, workers: int, beam_options: list[str] | None) -> Run:
    from jobs.run_context import Run

    loaded = load_recipe(recipe)
    load_policy(loaded.select.policy)
    return Run(loaded, (output or loaded.output).rstrip("/"), workers, tuple(beam_options or ()))


def _command(until: str, help_: str) -> None:
    def command(recipe: RecipePath, output: Output = None, workers: Workers = 0, beam: BeamOptions = None) -> None:
        from jobs import pipeline

        pipeline.run_until(_open(recipe, output, workers, beam), until)

    app.command(until, help=help_)(command)


for _name, _help in HELP.items():
    _command(_name, _help)


@app.command()
def run(recipe: RecipePath, output: Output = None, workers: Workers = 0, beam: BeamOptions = None) -> None:
    """Run the whole recipe: documents to report. Finished work is kept; a killed run goes on where it stopped."""
    from jobs import pipeline

    opened = _open(recipe, output, workers, beam)
    pipeline.run_until(opened, ORDER[-1])
    pipeline.print_places(opened)


@app.command()
def plan(
    recipe: RecipePath,
    output: Output = None,
    documents: Annotated[int | None, typer.Option(min=1, help="forecast deduplication of so many documents")] = None,
) -> None:
    """Check the recipe, its policy and its inputs, and say what a run would do, before a minute is lost."""
    from jobs import pipeline

    pipeline.print_plan(_open(recipe, output, 0, None), documents)


@app.command("what-if")
def what_if(
    run: Annotated[str, typer.Argument(help="folder or URL of a run that has decided")],
    policy: Annotated[str | None, typer.Option(help="policy to compare with the run's: a name or a file")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help=r"rule=value, a number or off; rule: \[domain.]rule[.min|.max]\[@language]; repeatable"
        ),
    ] = None,
    samples: Annotated[int, typer.Option(min=0, help="documents to show of each direction")] = 3,
    language: Annotated[str | None, typer.Option(help="only documents in this language")] = None,
) -> None:
    """Decide a run again with another policy or other bounds, from its signals alone, and show what would change."""
    print_what_if(run.rstrip("/"), settings or [], policy, samples, language)


@app.command()
def explain(
    where: Annotated[str, typer.Argument(help="folder or URL of a run, or a text file", metavar="RUN|FILE")],
    document: Annotated[str | None, typer.Argument(help="id or address of a document of the run")] = None,
    policy: Annotated[str | None, typer.Option(help="another policy than the run's: a name or a file")] = None,
    language: Annotated[str | None, typer.Option(help="of a text file; identified when not given")] = None,
    domain: Annotated[str | None, typer.Option(help="of a text file; web when not given")] = None,
) -> None:
    """One document: its signals, the rules on them, its duplicates, the decision and every reason for it."""
    if document is None:
        print_file(where, policy, language, domain)
    elif language or domain:
        raise JobError("--language and --domain are for a text file; a document of a run has its own")
    else:
        print_document(where.rstrip("/"), document, policy)


@app.command("calibrate")
def calibrate_command(
    reference: Annotated[str, typer.Argument(help="annotated run of a trusted corpus: its signals are read")],
    raw: Annotated[str | None, typer.Argument(help="annotated run to report on; the reference when left out")] = None,
    *,
    policy: Annotated[str, typer.Option(help="policy whose bounds are measured: a name or a file")],
    output: Annotated[str, typer.Option(help="file or URL of the policy to write")],
    method: Annotated[calibrate.Method, typer.Option(help="how a bound is measured")] = calibrate.Method.PERCENTILE,
    percentile: Annotated[float, typer.Option(min=0.5, max=1, help="share of documents within a maximum")] = 0.99,
    least_documents: Annotated[int, typer.Option(min=1, help="a language with fewer keeps its bounds")] = 200,
    least_bytes: Annotated[int, typer.Option(min=0, help="a language with fewer keeps its bounds")] = 1_000_000,
    language: Annotated[list[str] | None, typer.Option(help="calibrate only this language; repeatable")] = None,
) -> None:
    """Measure a policy's bounds per language on a trusted corpus, and show what they change."""
    settings = calibrate.Settings(method, percentile, least_documents, least_bytes, tuple(language or ()))
    calibrate_policy(reference.rstrip("/"), raw.rstrip("/") if raw else None, policy, output, settings)


@app.command()
def index(
    runs: Annotated[list[str], typer.Argument(help="deduplicated runs or indexes, merged in this order")],
    output: Annotated[str, typer.Option(help="folder or URL of the index")],
) -> None:
    """What later runs need to deduplicate against these (dedup.against), without their text; merges them."""
    from jobs.index import write_index

    write_index([run.rstrip("/") for run in runs], output.rstrip("/"))


@app.command()
def signals(
    markdown: Annotated[bool, typer.Option("--markdown", help="as a page with worked examples")] = False,
) -> None:
    """The table of signals that `annotate` stores for every document."""
    if markdown:
        print(signals_page(), end="")
        return
    table = Table(Column("name", no_wrap=True), "type", "unit", "definition", "source", box=None)
    for signal in SIGNALS:
        table.add_row(signal.versioned_name, signal.dtype, signal.unit, signal.definition, signal.source)
    progress.console.print(table)


@app.command()
def warmup() -> None:
    """Compile all kernels now, so that no job has to."""
    from jobs import pipeline

    pipeline.warm_up()


def _guarded(call: Callable[[], object]) -> int:
    try:
        call()
    except (RecipeError, PolicyError, PlanError, JobError, StorageError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on where it was", file=sys.stderr)
        return 130
    return 0


def main() -> None:
    sys.exit(_guarded(app))
