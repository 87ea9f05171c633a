"""Job `score`: one row-aligned dataset a score, fastText or transformer, that resumes and never depends on workers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from curation.dataset import part_name, read_manifest, read_part
from curation.recipe import RecipeError, load_recipe
from curation.scores import score_names, with_scores
from filters import quality_model
from jobs import pipeline
from jobs.errors import JobError
from jobs.quality_train import Settings, train_quality
from jobs.run_context import Run
from tests.jobs.test_graph import shuffles

LABELS = ["poor", "fair", "good"]


@pytest.fixture(scope="module")
def models(corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``quality/``, as the command writes it, and ``plain.bin``, a fastText file with labels of its own."""
    folder = tmp_path_factory.mktemp("models")
    for name, language in (("good", "en"), ("bad", "de")):
        rows = [{"id": f"{name}-{n}", "text": corpus.text(language, n, 30)} for n in range(200)]
        corpus.jsonl(folder / f"{name}.jsonl", rows)
    parameters = quality_model.Parameters(dimension=8, buckets=2000)
    settings = Settings(parameters=parameters, holdout=0.4)
    train_quality([f"{folder}/good.jsonl"], [f"{folder}/bad.jsonl"], f"{folder}/quality", settings)
    lines = [f"__label__{label} {corpus.text(language, n, 30)}\n" for n in range(100) for label, language in
             (("hq", "en"), ("cc", "ru"))]  # fmt: skip
    (folder / "plain.txt").write_text("".join(lines))
    quality_model.train(folder / "plain.txt", parameters, folder / "plain.bin")
    return folder


@pytest.fixture
def recipe(corpus, models: Path, tmp_path: Path) -> Callable[..., Path]:
    """A recipe of several parts in two domains with the scores given."""
    texts = [corpus.text(("en", "de", "zh")[n % 3], n + 5000, 40) for n in range(36)]
    corpus.jsonl(tmp_path / "web.jsonl", [{"id": str(n), "text": text} for n, text in enumerate([*texts, " \n "])])
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "one.py").write_text(corpus.code(1))
    inputs = [
        {"name": "web", "paths": ["web.jsonl"], "format": "jsonl", "columns": {"text": "text", "id": "id"}},
        {"name": "python", "paths": ["code/*.py"], "format": "source_tree", "domain": "code"},
    ]

    def write(*scores: dict[str, Any]) -> Path:
        path: Path = corpus.recipe(tmp_path, inputs, annotate={"unit_bytes": 2500}, scores=list(scores))
        return path

    return write


def run_scores(recipe: Path, output: Path, workers: int = 1) -> Run:
    run = Run(load_recipe(recipe), str(output), workers=workers)
    pipeline.run_until(run, "score")
    return run


def scores_of(run: Run, name: str) -> pa.Table:
    files = sorted(read_manifest(run.output, f"scores/{name}")["files"])
    return pa.concat_tables([read_part(run.output, f"scores/{name}", file) for file in files])


def column_of(run: Run, dataset: str, name: str) -> list[Any]:
    files = sorted(read_manifest(run.output, dataset)["files"])
    return [value for file in files for value in read_part(run.output, dataset, file, [name])[name].to_pylist()]


def test_scores_lie_row_for_row_beside_the_signals_and_are_those_of_the_model(recipe, models: Path, tmp_path: Path):
    wanted = (
        {"name": "quality", "fasttext": f"{models}/quality", "domains": ["web"], "languages": ["en", "de"]},
        {"name": "plain", "fasttext": f"{models}/plain.bin", "label": "__label__hq"},
    )
    run = run_scores(recipe(*wanted), tmp_path / "run")
    text, language = column_of(run, "documents", "text"), column_of(run, "signals", "language")
    domain = column_of(run, "signals", "domain")
    table = scores_of(run, "quality")
    assert table.schema.names == ["address", "quality"] and table.schema.field("quality").type == pa.float32()
    assert table["address"].to_pylist() == column_of(run, "signals", "address")
    applies = [d == "web" and code in ("en", "de") for d, code in zip(domain, language, strict=True)]
    assert 20 <= sum(applies) < len(applies)
    assert [value is not None for value in table["quality"].to_pylist()] == applies
    model = quality_model.open_model(f"{models}/quality")
    alone = model.score(pa.array(text, pa.large_string()), pa.array(language)).to_pylist()
    assert [value for value, ok in zip(table["quality"].to_pylist(), applies, strict=True) if ok] == [
        value for value, ok in zip(alone, applies, strict=True) if ok
    ]
    by_language = {code: [v for v, c in zip(alone, language, strict=True) if c == code] for code in ("en", "de")}
    assert min(by_language["en"]) > max(by_language["de"])
    plain = scores_of(run, "plain")["plain"].to_pylist()
    assert [value is None for value in plain] == [not each.strip() for each in text]

    assert score_names(run.output) == ["plain", "quality"]
    file = f"{part_name(1)}.parquet"
    signals = read_part(run.output, "signals", file, ["address"])
    part = with_scores(run.output, file, signals, ["quality", "plain"])
    assert part.schema.names == ["address", "score_quality", "score_plain"]
    assert with_scores(run.output, file, signals, []) is signals


def test_a_policy_rules_on_scores_and_every_command_reads_them(recipe, models: Path, tmp_path: Path, glotmill):
    """Documents under the bound are rejected for it, unscored ones pass; what-if, explain and errors know scores."""
    policy = tmp_path / "scored.yaml"
    policy.write_text("name: p\ndomains: {web: {rules: {ours.quality: {signal: score_quality, min: 0.5}}}}")
    wanted = {"name": "quality", "fasttext": f"{models}/quality", "languages": ["en", "de"]}
    path = recipe(wanted)
    content = yaml.safe_load(path.read_text())
    content["select"] = {**content.get("select", {}), "policy": str(policy)}
    path.write_text(yaml.safe_dump(content))
    output = tmp_path / "run"
    assert glotmill("select", str(path), "--output", str(output), "--workers", "1").code == 0
    run = Run(load_recipe(path), str(output))
    scores, reasons = scores_of(run, "quality")["quality"].to_pylist(), column_of(run, "decisions", "reasons")
    domains, ids = column_of(run, "signals", "domain"), column_of(run, "signals", "id")
    fails = [d == "web" and s is not None and s < 0.5 for s, d in zip(scores, domains, strict=True)]
    assert [("ours.quality" in found) for found in reasons] == fails and 5 < sum(fails) < len(fails) - 5
    said = glotmill("what-if", str(output), "--set", "ours.quality.min=0")
    assert said.code == 0 and "policy p" in said.out
    said = glotmill("explain", str(output), ids[fails.index(True)])
    assert said.code == 0 and "score_quality" in said.out and "ours.quality" in said.out
    policy.write_text("name: p\ndomains: {web: {rules: {ours.quality: {signal: score_edu, min: 0.5}}}}")
    said = glotmill("select", str(path), "--output", str(output), "--workers", "1")
    assert said.code == 1 and "no score 'edu'" in said.err and "it has quality" in said.err


def _score_again(recipe: Path, run: Run, output: Path, name: str, workers: int) -> None:
    """A copy of a finished run, with one score made anew by so many workers."""
    shutil.copytree(run.output, output)
    shutil.rmtree(output / "scores" / name)
    shutil.rmtree(output / "_jobs" / f"score-{name}")
    run_scores(recipe, output, workers)


def test_a_recipe_without_scores_writes_none(recipe, tmp_path: Path):
    run = run_scores(recipe(), tmp_path / "run")
    assert not (tmp_path / "run" / "scores").exists()
    assert score_names(run.output) == []


def test_two_workers_write_the_same_bytes_as_one(recipe, models: Path, tmp_path: Path, checksums):
    path = recipe({"name": "quality", "fasttext": f"{models}/quality"})
    run = run_scores(path, tmp_path / "one")
    _score_again(path, run, tmp_path / "two", "quality", 2)
    assert checksums(tmp_path / "one") == checksums(tmp_path / "two")


def test_a_stopped_score_goes_on_at_the_next_part_and_others_are_left_alone(
    recipe, models: Path, tmp_path: Path, checksums, capsys
):
    quality = {"name": "quality", "fasttext": f"{models}/quality"}
    run = run_scores(recipe(quality), tmp_path / "run")
    before = checksums(tmp_path / "run")
    ledger = tmp_path / "run" / "_jobs" / "score-quality"
    for name in ("done.json", "part-00001.json"):
        (ledger / name).unlink()
    kept = tmp_path / "run" / "scores" / "quality" / "part-00000.parquet"
    stamp = kept.stat().st_mtime_ns
    capsys.readouterr()
    run_scores(recipe(quality), tmp_path / "run")
    parts = len(list(ledger.glob("part-*")))
    assert f"{parts} parts, {parts - 1} parts were there already" in capsys.readouterr().out
    assert kept.stat().st_mtime_ns == stamp and checksums(tmp_path / "run") == before

    plain = {"name": "plain", "fasttext": f"{models}/plain.bin", "label": "__label__hq"}
    run_scores(recipe(quality, plain), tmp_path / "run")
    assert kept.stat().st_mtime_ns == stamp, "another score leaves this one as it is"
    run_scores(recipe({**quality, "languages": ["en"]}, plain), tmp_path / "run")
    assert kept.stat().st_mtime_ns != stamp, "other parameters make it stale"
    assert score_names(run.output) == ["plain", "quality"]


def test_another_model_makes_a_score_stale_and_its_place_does_not(recipe, models: Path, tmp_path: Path):
    def fingerprint() -> str:
        found: str = json.loads((tmp_path / "run/_jobs/score-plain/job.json").read_text())["fingerprint"]
        return found

    (tmp_path / "a.bin").write_bytes((models / "plain.bin").read_bytes())
    run_scores(recipe({"name": "plain", "fasttext": f"{models}/plain.bin", "label": "__label__hq"}), tmp_path / "run")
    first = fingerprint()
    run_scores(recipe({"name": "plain", "fasttext": "a.bin", "label": "__label__hq"}), tmp_path / "run")
    assert fingerprint() == first
    quality_model.train(models / "plain.txt", quality_model.Parameters(dimension=4, buckets=100), tmp_path / "a.bin")
    run_scores(recipe({"name": "plain", "fasttext": "a.bin", "label": "__label__hq"}), tmp_path / "run")
    assert fingerprint() != first


@pytest.mark.parametrize(
    ("score", "words"),
    [
        ({"name": "quality", "fasttext": "nowhere"}, ["score 'quality'", "no folder of `glotmill quality train`"]),
        ({"name": "words", "fasttext": "{models}/quality"}, ["score 'words': a signal has this name already"]),
        ({"name": "edu", "transformer": "nowhere"}, ["score 'edu'", "no config.json", "never downloaded"]),
        ({"name": "plain", "fasttext": "{models}/plain.bin", "label": "__label__x"}, ["no label __label__x"]),
    ],
)  # fmt: skip
def test_a_model_that_cannot_be_used_is_a_clear_error(recipe, models: Path, tmp_path: Path, score, words):
    score = {key: str(value).replace("{models}", str(models)) for key, value in score.items()}
    with pytest.raises(JobError) as caught:
        run_scores(recipe(score), tmp_path / "run")
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("score", [{"name": "quality", "fasttext": "nowhere"}])
def test_a_missing_model_is_found_before_any_work(glotmill, recipe, tmp_path: Path, score):
    path = recipe(score)
    for command in ("plan", "annotate", "score", "run"):
        said = glotmill(command, str(path), "--output", str(tmp_path / "run"))
        assert said.code == 1 and "error: score 'quality': " in said.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([{"name": "Quality", "fasttext": "m"}], ["scores.0.name", "pattern"]),
        ([{"name": "q"}], ["needs one model"]),
        ([{"name": "q", "fasttext": "m", "transformer": "t"}], ["needs one model"]),
        ([{"name": "q", "fasttext": "m.ftz"}], ["needs a label, such as __label__hq"]),
        ([{"name": "q", "fasttext": "m", "label": "x"}], ["knows its label"]),
        ([{"name": "q", "fasttext": "m", "batch_size": 2}], ["batch_size is for transformer"]),
        ([{"name": "q", "transformer": "m", "batch_sise": 2}], ["did you mean 'batch_size'?"]),
        ([{"name": "q", "transformer": "m", "label": True}], ["scores.0.label"]),
        ([{"name": "q", "fasttext": "m", "languages": ["xx"]}], ["language 'xx' is none of"]),
        ([{"name": "q", "fasttext": "m", "domains": ["wbe"]}], ["no input has domain 'wbe'"]),
        ([{"name": "q", "fasttext": "m"}, {"name": "q", "fasttext": "n"}], ["two scores are named 'q'"]),
    ],
)
def test_what_is_wrong_with_a_score_in_a_recipe_is_named(recipe, scores, words):
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe(*scores))
    for word in words:
        assert word in str(caught.value)


def test_model_paths_are_taken_from_the_folder_of_the_recipe(recipe, tmp_path: Path):
    loaded = load_recipe(recipe({"name": "q", "fasttext": "models/q"}, {"name": "t", "transformer": "models/t"}))
    assert [score.fasttext or score.transformer for score in loaded.scores] == [
        f"{tmp_path}/models/q", f"{tmp_path}/models/t",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def transformers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``three/`` with three named outputs and ``one/`` with one: tiny random BERTs with a tokenizer of characters."""
    transformers = pytest.importorskip("transformers", reason="transformers is part of the extra 'train'")
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("transformers")
    alphabet = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz的了是在人学山水"]
    tokenizer = Tokenizer(models.WordPiece({token: n for n, token in enumerate(alphabet)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    for name, labels in (("three", LABELS), ("one", ["LABEL_0"])):
        torch.manual_seed(len(labels))
        config = transformers.BertConfig(
            vocab_size=len(alphabet), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=64, initializer_range=0.5, id2label=dict(enumerate(labels)),
            label2id={label: n for n, label in enumerate(labels)},
        )  # fmt: skip
        transformers.BertForSequenceClassification(config).save_pretrained(folder / name)
        fast.save_pretrained(folder / name)
    return folder


def _direct(folder: Path, text: str) -> np.ndarray:
    """Logits of one text by transformers alone, without batch or padding."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True).eval()
    with torch.no_grad():
        logits: np.ndarray = (
            model(**tokenizer(text, truncation=True, max_length=40, return_tensors="pt")).logits[0].numpy()
        )
    return logits


def test_transformer_scores_are_those_of_transformers(recipe, transformers_folder: Path, tmp_path: Path, checksums):
    shared = {"batch_size": 4, "max_tokens": 40}
    path = recipe(
        {"name": "good", "transformer": f"{transformers_folder}/three", "label": "good", "domains": ["web"], **shared},
        {"name": "edu", "transformer": f"{transformers_folder}/one", "languages": ["en"], **shared},
    )
    run = run_scores(path, tmp_path / "one")
    text, domain = column_of(run, "documents", "text"), column_of(run, "signals", "domain")
    language = column_of(run, "signals", "language")
    good, edu = (scores_of(run, name)[name].to_pylist() for name in ("good", "edu"))
    assert [value is None for value in good] == [each != "web" for each in domain]
    assert [value is None for value in edu] == [each != "en" for each in language]
    for row in range(0, len(text), 5):
        if good[row] is not None:
            logits = _direct(transformers_folder / "three", text[row])
            assert good[row] == pytest.approx(np.exp(logits[2]) / np.exp(logits).sum(), abs=1e-5)
        if edu[row] is not None:
            assert edu[row] == pytest.approx(_direct(transformers_folder / "one", text[row])[0], abs=1e-5)
    assert len({round(value, 4) for value in good if value is not None}) > 10
    _score_again(path, run, tmp_path / "two", "good", 2)
    assert checksums(tmp_path / "one") == checksums(tmp_path / "two")


@pytest.mark.parametrize(
    ("folder", "options", "words"),
    [
        ("three", {}, ["label is missing; the model has the outputs 0 (poor), 1 (fair), 2 (good)"]),
        ("three", {"label": 3}, ["no output 3", "2 (good)"]),
        ("three", {"label": "grand"}, ["no output 'grand'"]),
        ("one", {"label": 0}, ["one output", "leave label out"]),
        ("one", {"max_tokens": 65}, ["max_tokens is 65, the model takes 64 at most"]),
    ],
)
def test_a_transformer_that_does_not_fit_is_a_clear_error(
    recipe, transformers_folder: Path, tmp_path: Path, folder, options, words
):
    score = {"name": "edu", "transformer": f"{transformers_folder}/{folder}", "max_tokens": 40, **options}
    with pytest.raises(JobError) as caught:
        run_scores(recipe(score), tmp_path / "run")
    for word in ("score 'edu'", *words):
        assert word in str(caught.value)


def test_missing_libraries_are_a_clear_error(recipe, transformers_folder: Path, tmp_path: Path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "transformers", None)
    path = recipe({"name": "edu", "transformer": f"{transformers_folder}/one", "max_tokens": 40})
    with pytest.raises(JobError, match=r"score 'edu'.*transformers is missing.*pip install 'glotmill\[train\]'"):
        run_scores(path, tmp_path / "run")


def test_the_graphs_hold_part_numbers_and_no_text(
    recipe, models: Path, transformers_folder: Path, tmp_path, monkeypatch
):
    import apache_beam as beam

    graphs = []

    def record(self: Run, build: Callable[[beam.Pipeline], object], work_units: int) -> None:
        graph = beam.Pipeline()
        build(graph)
        graphs.append(graph.to_runner_api())
        execute(self, build, work_units)

    execute = Run.execute
    monkeypatch.setattr(Run, "execute", record)
    run_scores(
        recipe(
            {"name": "quality", "fasttext": f"{models}/quality"},
            {"name": "edu", "transformer": f"{transformers_folder}/one", "max_tokens": 40},
        ),
        tmp_path / "run",
    )
    assert len(graphs) == 3, "annotate and one pipeline a score"
    for graph in graphs[1:]:
        assert shuffles(graph) == {}
        assert sum(len(transform.spec.payload) for transform in graph.components.transforms.values()) < 300_000


def test_a_score_of_older_signals_is_not_taken(recipe, models: Path, tmp_path: Path):
    run = run_scores(recipe({"name": "quality", "fasttext": f"{models}/quality"}), tmp_path / "run")
    manifest = tmp_path / "run" / "scores" / "quality" / "manifest.json"
    data = json.loads(manifest.read_text())
    data["parents"]["signals"] = "0" * 32
    manifest.write_text(json.dumps(data))
    assert score_names(run.output) == []


def test_scores_of_other_documents_are_refused(recipe, models: Path, tmp_path: Path):
    plain = {"name": "plain", "fasttext": f"{models}/plain.bin", "label": "__label__hq"}
    run = run_scores(recipe({"name": "quality", "fasttext": f"{models}/quality"}, plain), tmp_path / "run")
    file = tmp_path / "run" / "scores" / "plain" / "part-00000.parquet"
    table = pq.ParquetFile(file).read()
    pq.write_table(table.slice(1), file)
    signals = read_part(run.output, "signals", file.name, ["address"])
    with pytest.raises(ValueError, match="holds other documents than signals"):
        with_scores(run.output, file.name, signals, ["quality", "plain"])


def test_importance_weights_score_the_languages_they_were_fitted_on(corpus, recipe, tmp_path: Path, glotmill):
    """`glotmill quality importance` to a score: what is like the target weighs more; other languages have no score."""
    for name, seeds in (("target", (1, 2)), ("raw", (3, 4))):
        rows = [
            {"text": corpus.text(code, 100 * seed + n, 30) + (" sea ship" * 5 if name == "target" else ""),
             "language": code, "licence": "CC0"}
            for seed in seeds for n in range(40) for code in ("en", "de")
        ]  # fmt: skip
        corpus.jsonl(tmp_path / f"{name}.jsonl", rows[: 130 if name == "raw" else None])
    arguments = ["--target", f"{tmp_path}/target.jsonl", "--raw", f"{tmp_path}/raw.jsonl", "--output"]
    said = glotmill("quality", "importance", *arguments, f"{tmp_path}/sea", "--least-documents", "40")
    assert said.code == 0, said.err
    card = json.loads((tmp_path / "sea" / "card.json").read_text())
    assert list(card["languages"]) == ["de", "en"] and card["held_out"]["en"]["roc_auc"] == 1
    assert "CC0" in (tmp_path / "sea" / "card.md").read_text()
    again = glotmill("quality", "importance", *arguments, f"{tmp_path}/again", "--least-documents", "40")
    assert again.code == 0
    for file in ("card.json", "card.md", "weights.npy"):
        assert (tmp_path / "sea" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()

    wanted = {"name": "sea", "importance": f"{tmp_path}/sea"}
    run = run_scores(recipe(wanted, wanted | {"name": "mean", "mean": True}), tmp_path / "run")
    sums, means = scores_of(run, "sea")["sea"].to_pylist(), scores_of(run, "mean")["mean"].to_pylist()
    languages, units = column_of(run, "signals", "language"), column_of(run, "signals", "units")
    assert [score is not None for score in sums] == [code in ("en", "de") for code in languages]
    for total, mean, count in zip(sums, means, units, strict=True):
        assert total is None or np.isclose(total, mean * (2 * count - 1), rtol=1e-4)

    few = glotmill("quality", "importance", *arguments, f"{tmp_path}/few", "--least-documents", "1000")
    assert few.code == 1 and "no language has 1,000 documents in both sets" in few.err
    with pytest.raises(JobError, match="score 'x': .*name it under 'fasttext'"):
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "card.json").write_text("{}")
        run_scores(recipe({"name": "x", "importance": f"{tmp_path}/other"}), tmp_path / "other_run")
    with pytest.raises(RecipeError, match="mean is for importance"):
        load_recipe(recipe({"name": "x", "fasttext": "f", "mean": True}))
