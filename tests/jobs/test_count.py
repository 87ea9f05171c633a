"""Counting: the table of one counter whatever the workers and kills, sums of runs, and what cannot be added."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from curation.dataset import Job, verify
from curation.recipe import load_recipe
from jobs import pipeline
from jobs.count import Steps, plan_units
from jobs.count_tables import counted_text, distinct_sources, read_counts
from jobs.run_context import JobError, Run
from jobs.sample import Sample, evaluation_texts, group_of, sample_of
from tokenizer.bpe.back_off import back_off
from tokenizer.bpe.counts import GROUP_COLUMNS, PretokenCounter
from tokenizer.pretokens import MARKS_AS_LETTERS_PATTERN, QWEN2_PATTERN


@pytest.fixture(scope="session")
def selected(corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe of a run in three languages that has selected."""
    folder = tmp_path_factory.mktemp("selected")
    rows = [
        {"id": f"{language}-{n}", "text": corpus.text(language, n, 200)} for n in range(25) for language in LANGUAGES
    ]
    corpus.jsonl(folder / "web.jsonl", rows)
    recipe = corpus.recipe(
        folder,
        [{"name": "web", "paths": ["web.jsonl"], "format": "jsonl", "columns": {"text": "text", "id": "id"}}],
        annotate={"unit_bytes": 20_000},
        tokenizer={"sample_bytes": 60_000, "unit_bytes": 4_000},
    )
    _until(recipe, folder / "run", "select")
    return recipe


LANGUAGES = ("en", "ru", "zh")


def _until(recipe: Path, output: Path, last: str, workers: int = 1) -> Run:
    run = Run(load_recipe(recipe), str(output), workers=workers)
    pipeline.run_until(run, last)
    return run


@pytest.fixture(scope="session")
def copy(selected: Path, tmp_path_factory: pytest.TempPathFactory):
    """Copies of the run that has selected, with other settings of the tokenizer: the recipe and the output."""

    def make(**settings: object) -> tuple[Path, Path]:
        folder = tmp_path_factory.mktemp("copy") / "run"
        shutil.copytree(selected.parent, folder)
        text = selected.read_text().replace(str(selected.parent), str(folder))
        for key, value in settings.items():
            text = text.replace("tokenizer:\n", f"tokenizer:\n  {key}: {json.dumps(value)}\n")
        (folder / "recipe.yaml").write_text(text)
        return folder / "recipe.yaml", folder / "run"

    return make


@pytest.fixture(scope="session")
def backed_off(copy) -> Path:
    """The output of a copy that one worker has counted, with rare pretokens cut up."""
    recipe, output = copy(back_off=2)
    _until(recipe, output, "count")
    return output


def _sampled_at_once(run: Run, pattern: str = MARKS_AS_LETTERS_PATTERN) -> pa.Table:
    """The counts of the whole sample, by one counter."""
    state = json.loads(Path(run.output, "_jobs", "select", "job.json").read_text())
    sample = sample_of(run.recipe, run.output, Job(run.output, "select", (), state["fingerprint"], state["recipe"]))
    counter = PretokenCounter(pattern, GROUP_COLUMNS)
    for file in sample.files():
        for text in sample.texts(file):
            counter.add(text, group_of(file))
    return counter.table()


def _table(run: str | Path) -> pa.Table:
    return read_counts([str(run)], GROUP_COLUMNS)


def test_the_parts_are_the_counts_of_the_sample(copy) -> None:
    recipe, output = copy()
    run = _until(recipe, output, "count")
    table = _table(output)
    assert table.equals(_sampled_at_once(run))
    assert set(table["language"].to_pylist()) == set(LANGUAGES)
    assert len(list((output / "counts").glob("part-*.parquet"))) > 2
    assert verify(str(output), "counts") == []
    text = counted_text([str(output)])
    sizes = pc.multiply(pc.binary_length(table["pretoken"]).cast(pa.uint64()), table["count"])
    assert text["utf8_bytes"] == sum(text["languages"].values()) == pc.sum(sizes).as_py()
    assert 40_000 < text["utf8_bytes"] < 80_000


def test_workers_do_not_change_a_byte(copy, backed_off: Path, checksums, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four worker processes; two are those of the whole run in `test_resume`."""
    monkeypatch.setattr(Run, "worker_count", lambda self, units: self.workers)  # even where two are not worth it
    recipe, output = copy(back_off=2)
    _until(recipe, output, "count", 4)
    assert checksums(output) == checksums(backed_off)


def test_rare_pretokens_are_backed_off_over_all_parts(copy) -> None:
    recipe, output = copy(back_off=3)
    run = _until(recipe, output, "count")
    expected = back_off(_sampled_at_once(run), 3)
    assert _table(output).equals(expected)
    whole = _sampled_at_once(run)
    assert expected.num_rows < whole.num_rows
    assert set(expected["pretoken"].to_pylist()) - set(whole["pretoken"].to_pylist()), "nothing was cut up"


@pytest.mark.parametrize("step", ["count", "cut", "write"])
def test_a_killed_job_goes_on_after_the_last_finished_task(
    step: str, copy, backed_off: Path, checksums, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, killed = copy(back_off=2)
    done: list[int] = []
    original = getattr(Steps, step)

    def failing(self: Steps, number: int, round_: int | None = None) -> int:
        if len(done) == 2:
            raise RuntimeError("killed")
        done.append(number)
        return original(self, number) if round_ is None else original(self, number, round_)

    with monkeypatch.context() as patch:
        patch.setattr(Steps, step, failing)
        with pytest.raises(JobError, match="killed"):
            _until(recipe, killed, "count")
    ledger = killed / "_jobs" / "count"
    finished = [*ledger.rglob("part-*.json"), *ledger.rglob("*.arrow")]
    assert finished, "the step was killed before it did anything"
    stamps = {path: path.stat().st_mtime_ns for path in ledger.rglob("part-*.json")}
    _until(recipe, killed, "count")
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert checksums(killed) == checksums(backed_off)


def test_merged_counts_are_those_of_both_runs(copy, glotmill, tmp_path: Path) -> None:
    *outputs, third = (_counted_with_seed(copy, seed) for seed in (1, 2, 4))
    merged = str(tmp_path / "merged")
    assert glotmill("tokenizer", "merge-counts", *outputs, "--output", merged).code == 0
    assert _table(merged).equals(read_counts(outputs, GROUP_COLUMNS))
    assert verify(merged, "counts") == []
    texts = [counted_text([output])["utf8_bytes"] for output in outputs]
    assert counted_text([merged])["utf8_bytes"] == sum(texts)
    assert "done already" in glotmill("tokenizer", "merge-counts", *outputs, "--output", merged).out
    again = str(tmp_path / "again")  # a merged table is merged like any other
    assert glotmill("tokenizer", "merge-counts", merged, third, "--output", again).code == 0
    assert counted_text([again])["utf8_bytes"] == sum(texts) + counted_text([third])["utf8_bytes"]
    (Path(merged) / "_jobs" / "merge-counts" / "exchange").mkdir()  # as a run leaves it that is killed at the very end
    glotmill("tokenizer", "merge-counts", *outputs, "--output", merged)
    assert not (Path(merged) / "_jobs" / "merge-counts" / "exchange").exists()
    for runs in ([merged, outputs[1]], [outputs[0], f"{outputs[1]}/../run/", f"{outputs[0]}/../run"], [again, merged]):
        said = glotmill("tokenizer", "merge-counts", *runs, "--output", str(tmp_path / "double"))
        assert said.code == 1 and "count double" in said.err
        with pytest.raises(JobError, match="count double"):
            distinct_sources(runs)


def test_counts_are_never_merged_into_what_holds_others(copy, glotmill, tmp_path: Path, checksums) -> None:
    first, second, third = (_counted_with_seed(copy, seed) for seed in (1, 2, 4))
    merged = str(tmp_path / "merged")
    assert glotmill("tokenizer", "merge-counts", first, second, "--output", merged).code == 0
    for runs, output, words in (
        ((first, second), first, "is a run"),
        ((first, second), third, "is a run"),
        ((merged, third), merged, "is the output"),
    ):
        before = checksums(output)
        said = glotmill("tokenizer", "merge-counts", *runs, "--output", output)
        assert said.code == 1 and words in said.err
        assert checksums(output) == before


def _counted_with_seed(copy, seed: int) -> str:
    recipe, output = copy()
    recipe.write_text(recipe.read_text().replace("seed: 3", f"seed: {seed}"))
    _until(recipe, output, "count")
    return str(output)


def test_no_training_counts_text_double(copy) -> None:
    """Neither that of the run itself nor that of a run named twice."""
    recipe, output = copy()
    _until(recipe, output, "count")
    other = _counted_with_seed(copy, 1)
    text = recipe.read_text()
    for added in ([str(output)], [other, other]):
        recipe.write_text(text.replace("tokenizer:\n", f"tokenizer:\n  add_counts: {json.dumps(added)}\n"))
        with pytest.raises(JobError, match="count double"):
            _until(recipe, output, "train-tokenizer")
    assert not (output / "_jobs" / "train-tokenizer").exists()


def test_what_a_killed_job_left_is_removed(copy) -> None:
    recipe, output = copy()
    _until(recipe, output, "count")
    left = output / "_jobs" / "count" / "exchange"
    left.mkdir()
    _until(recipe, output, "count")
    assert not left.exists()


def test_counts_that_do_not_belong_together_are_refused(copy, glotmill, tmp_path: Path) -> None:
    recipe, output = copy()
    _until(recipe, output, "count")
    other, exact = copy(mode="hf_exact")
    _until(other, exact, "count")
    assert read_counts([str(exact)], ()).schema.metadata[b"pattern"].decode() == QWEN2_PATTERN
    said = glotmill("tokenizer", "merge-counts", str(output), str(exact), "--output", str(tmp_path / "merged"))
    assert said.code == 1
    assert "counts of different patterns cannot be added" in said.err
    said = glotmill("tokenizer", "merge-counts", str(output), str(output), "--output", str(tmp_path / "merged"))
    assert "count double" in said.err
    said = glotmill("tokenizer", "merge-counts", str(output), str(tmp_path), "--output", str(tmp_path / "merged"))
    assert "'counts' is not finished" in said.err


def test_text_to_measure_on_is_text_that_was_not_counted(selected: Path) -> None:
    run = str(selected.parent / "run")
    sample = Sample(run, {("en", "web"): 0.5, ("ru", "web"): 0.0, ("zh", "web"): 1.0}, 3)
    seen, unseen = (
        {language: [text for file in sample.files() if group_of(file)[0] == language
                    for batch in sample.texts(file, seen=wanted) for text in batch.to_pylist()]
         for language in LANGUAGES}
        for wanted in (True, False)
    )  # fmt: skip
    assert {language: len(seen[language]) + len(unseen[language]) for language in LANGUAGES} == {
        "en": 25, "ru": 25, "zh": 25
    }  # fmt: skip
    assert not set(seen["en"]) & set(unseen["en"]) and 5 < len(seen["en"]) < 20
    texts, small = evaluation_texts(sample)
    assert texts == {"en": unseen["en"], "ru": unseen["ru"], "zh": seen["zh"]}
    assert small == {"zh"}


def test_units_keep_languages_together_and_to_their_size() -> None:
    files = {f"language={language}/domain=web/part-{n:05d}.parquet": 100 for language in ("en", "ru") for n in range(4)}

    class Files(Sample):
        def files(self) -> dict[str, int]:
            return files

    sample = Files("", {("en", "web"): 1.0, ("ru", "web"): 0.5}, 0)
    units = plan_units(sample, 600)
    assert [name for unit in units for name in unit] == list(files)
    assert [len(unit) for unit in units] == [2, 2, 4]
