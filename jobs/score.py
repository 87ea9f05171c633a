"""Jobs `score-NAME`: ``documents/`` to ``scores/NAME/``, row-aligned with ``signals/``; one job for each score of the
recipe, so that another score or model leaves the others as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.ml.inference.base import ModelHandler, RunInference

from curation.dataset import Job, PartWriter, Record, fingerprint, iterate_part, part_name, read_part
from curation.recipe import Recipe, Score
from curation.scores import dataset, score_schema
from filters import importance, quality_model, transformer_model
from filters.annotate import signals_schema
from filters.importance import ImportanceModel
from filters.quality_model import QualityError, QualityModel
from filters.transformer_model import TransformerError, TransformerModel
from jobs import progress
from jobs.parts import for_each_part
from jobs.run_context import JobError, Run

VERSION = 1
BATCH_ROWS = 1024
FREE = {"fasttext", "transformer", "importance", "device"}
"""Settings that do not change the scores: where the model lies (its content counts) and what computes."""
Scorer = Callable[[pa.Array, pa.Array], pa.Array]
"""Text (large_string[n]) and language (string[n]) to score (float32[n])."""


def check_scores(recipe: Recipe) -> dict[str, dict[str, str]]:
    """Look for every model before any work is done: SHA-256 by file name of the files of each, by score.

    Raises:
        JobError: a model or what it needs is missing or does not fit, or a score is named like a signal.
    """
    return {score.name: _check(score) for score in recipe.scores}


def _check(score: Score) -> dict[str, str]:
    if score.name in signals_schema().names:
        raise JobError(f"score '{score.name}': a signal has this name already; choose another")
    try:
        if score.fasttext is not None:
            return quality_model.check_model(score.fasttext)
        if score.importance is not None:
            return importance.check_folder(score.importance)
        assert score.transformer is not None
        transformer_model.require_libraries()
        return transformer_model.check_model(score.transformer, score.label, score.max_tokens)
    except (FileNotFoundError, QualityError, TransformerError) as error:
        raise JobError(f"score '{score.name}': {error}") from error


def score_job(run: Run, score: Score, files: dict[str, str], annotated: Job) -> Job:
    described = {
        "version": VERSION,
        "score": {"kind": _kind(score), **score.model_dump(exclude=FREE)},
        "model": files,
        "signals": annotated.fingerprint,
    }
    return Job(run.output, f"score-{score.name}", (dataset(score.name),), fingerprint(described), described)


def _kind(score: Score) -> str:
    return next(kind for kind in ("fasttext", "transformer", "importance") if getattr(score, kind))


class ScoreOnProcessor(beam.DoFn):
    """Writes one part with fastText or importance weights; the model lives as long as the worker."""

    def __init__(self, job: Job, score: Score) -> None:
        self._job, self._score = job, score

    def setup(self) -> None:
        self._model = _open(self._score)

    def process(self, part: int) -> Iterator[int]:
        score_part(self._job, self._score, part, self._model.score)
        yield part


def _open(score: Score) -> QualityModel | ImportanceModel:
    if score.importance is not None:
        return importance.open_model(score.importance, score.mean)
    assert score.fasttext is not None and not isinstance(score.label, int)
    return quality_model.open_model(score.fasttext, score.label)


class TransformerHandler(ModelHandler[int, int, TransformerModel]):
    """Beam's view of a transformer. Its examples are part numbers, and its predictions the parts it has written.

    `RunInference` loads the model once in each process and shares it among the process's threads.
    """

    def __init__(self, job: Job, score: Score) -> None:
        super().__init__(min_batch_size=1, max_batch_size=1)
        self._job, self._score = job, score

    def load_model(self) -> TransformerModel:
        score = self._score
        assert score.transformer is not None
        return TransformerModel(score.transformer, score.label, score.batch_size, score.max_tokens, score.device)

    def run_inference(
        self, batch: Sequence[int], model: TransformerModel, inference_args: dict[str, Any] | None = None
    ) -> Iterator[int]:
        for part in batch:
            score_part(self._job, self._score, part, lambda text, _: pa.array(model.score(text), pa.float32()))
            yield part


def score_part(job: Job, score: Score, part: int, scorer: Scorer) -> None:
    """Write the scores of one part and its record."""
    file = f"{part_name(part)}.parquet"
    signals = read_part(job.run, "signals", file, ["address", "domain", "language"]).combine_chunks()
    applies = _applies(score, signals)
    rows = scored = utf8_bytes = 0
    schema = score_schema(score.name)
    with PartWriter(job.path(dataset(score.name), file), schema) as writer:
        for documents in iterate_part(job.run, "documents", file, BATCH_ROWS, ["text"]):
            facts, wanted = signals.slice(rows, documents.num_rows), applies[rows : rows + documents.num_rows]
            text = documents["text"].filter(pa.array(wanted))
            values = scorer(text, facts["language"].filter(pa.array(wanted)).combine_chunks())
            column = _spread(values, wanted)
            address = facts["address"].combine_chunks()
            writer.write(pa.record_batch([address, column], schema=schema))
            rows += documents.num_rows
            scored += len(column) - column.null_count
            utf8_bytes += pc.sum(pc.binary_length(text)).as_py() or 0
    counts = {"documents": rows, "scored": scored, "utf8_bytes": utf8_bytes}
    record: Record = {"files": {dataset(score.name): {file: writer.record}}, "counts": counts}
    job.write_record(part, record)


def _applies(score: Score, signals: pa.Table) -> np.ndarray:
    """bool[n]: the documents whose domain and language the score is for."""
    found = np.ones(signals.num_rows, bool)
    for column, wanted in (("domain", score.domains), ("language", score.languages)):
        if wanted is not None:
            found &= pc.is_in(signals[column], pa.array(wanted, pa.string())).to_numpy()
    return found


def _spread(values: pa.Array, wanted: np.ndarray) -> pa.Array:
    """Values of the wanted rows in their places, null elsewhere: float32[n]."""
    place = np.cumsum(wanted) - 1
    return values.take(pa.array(place, pa.int64(), mask=~wanted))


def score(run: Run, annotated: Job) -> list[Job]:
    """Run the job of every score in the recipe, or find it done; nothing happens where the recipe has none.

    Raises:
        JobError: a model is missing or does not fit.
    """
    files = check_scores(run.recipe)
    return [
        _score(run, each, score_job(run, each, files[each.name], annotated), annotated) for each in run.recipe.scores
    ]


def _score(run: Run, score: Score, job: Job, annotated: Job) -> Job:
    if job.open():
        progress.say(f"{job.name:<16} done already")
        return job
    for_each_part(run, job, annotated.finished_parts(), lambda: _step(score, job))
    totals = {name: sum(record["counts"][name] for record in job.records()) for name in ("documents", "scored")}
    progress.say(f"{'':<16} {totals['scored']:,} of {totals['documents']:,} documents scored")
    job.close({"signals": annotated.fingerprint}, {"counts": totals})
    return job


def _step(score: Score, job: Job) -> beam.PTransform:
    if score.transformer is not None:
        return RunInference(TransformerHandler(job, score))
    _try(lambda: _open(score), score)  # what is wrong with it is said here, not by a worker
    return beam.ParDo(ScoreOnProcessor(job, score))


def _try(open_: Callable[[], object], score: Score) -> None:
    try:
        open_()
    except (QualityError, TransformerError) as error:
        raise JobError(f"score '{score.name}': {error}") from error
