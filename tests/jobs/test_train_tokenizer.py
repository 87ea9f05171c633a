"""Training from counts: the recipe's options reach the vocabulary, and a killed training ends with the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tokenizers import Tokenizer, trainers

from curation.dataset import Job, write_parquet
from curation.recipe import load_recipe
from curation.recipe_tokenizer import Tokenizer as Settings
from jobs import pipeline, vocabulary
from jobs.errors import JobError
from jobs.run_context import Run
from jobs.vocabulary import Trained, Training
from tokenizer.bpe import trainer
from tokenizer.bpe.counts import GROUP_COLUMNS, PretokenCounter
from tokenizer.pretokens import (
    CONTROL_TOKENS,
    MARKS_AS_LETTERS_PATTERN,
    QWEN2_PATTERN,
    build_pipeline,
    byte_characters,
    token_bytes,
    token_characters,
)


@pytest.fixture(scope="module")
def counted(corpus, tmp_path_factory: pytest.TempPathFactory):
    """Folders like those of runs that have counted the same text, by pattern, and the text."""
    texts = {language: [corpus.text(language, n, 120) for n in range(12)] for language in ("en", "ru", "zh")}
    texts["ru"] = texts["ru"][:3]
    folders = {}
    for pattern in (QWEN2_PATTERN, MARKS_AS_LETTERS_PATTERN):
        folder = str(tmp_path_factory.mktemp("counted"))
        counter = PretokenCounter(pattern, GROUP_COLUMNS)
        for language, documents in texts.items():
            counter.add(pa.array(documents, pa.large_string()), (language, "web"))
        table = counter.table()
        job = Job(folder, "count", ("counts",), "f", {"pattern": pattern, "back_off": 1})
        job.open()
        file = write_parquet(job.path("counts", "part-00000.parquet"), table.to_batches(), table.schema)
        job.write_record(0, {"files": {"counts": {"part-00000.parquet": file}}})
        sizes = {language: sum(len(text.encode()) for text in documents) for language, documents in texts.items()}
        job.close({}, {"documents": 27, "utf8_bytes": sum(sizes.values()), "languages": sizes})
        folders[pattern] = folder
    return folders, texts


@pytest.fixture
def train(counted, corpus, tmp_path: Path):
    """Trains from the counts with the settings given."""
    folders, texts = counted
    parallel = {language: [corpus.text(language, 99, 200)] for language in texts}

    def call(**settings: Any) -> Trained:
        read = Settings.model_validate({"vocab_size": 420, "parallel": "-", **settings})
        run = folders[QWEN2_PATTERN if "hf_exact" in settings.values() else MARKS_AS_LETTERS_PATTERN]
        return Training(read, [run], parallel, str(tmp_path / "training"), lambda made, said: None).run()

    return call


def _vocabulary(tokenizer: Tokenizer) -> dict[str, int]:
    return dict(tokenizer.get_vocab(with_added_tokens=True))


def test_the_exact_mode_finds_the_tokenizer_of_tokenizers(train, counted) -> None:
    _, texts = counted
    theirs = build_pipeline()
    special = sorted(byte_characters())
    settings = trainers.BpeTrainer(vocab_size=417, min_frequency=2, initial_alphabet=special, show_progress=False)
    theirs.train_from_iterator([text for documents in texts.values() for text in documents], settings)
    theirs.add_special_tokens(list(CONTROL_TOKENS))
    ours = train(mode="hf_exact").tokenizer
    assert _vocabulary(ours) == _vocabulary(theirs)
    assert json.loads(ours.to_str())["model"]["merges"] == json.loads(theirs.to_str())["model"]["merges"]


def test_control_tokens_come_after_all_others_in_every_size(train) -> None:
    trained = train(sizes=[300, 350])
    assert {size: tokenizer.get_vocab_size() for size, tokenizer in trained.smaller.items()} == {300: 300, 350: 350}
    whole = _vocabulary(trained.tokenizer)
    for size, tokenizer in {**trained.smaller, 420: trained.tokenizer}.items():
        assert [tokenizer.token_to_id(token) for token in CONTROL_TOKENS] == [size - 3, size - 2, size - 1]
        regular = {token: id_ for token, id_ in _vocabulary(tokenizer).items() if id_ < size - 3}
        assert regular.items() <= whole.items()
    assert _vocabulary(train(vocab_size=350).tokenizer) == _vocabulary(trained.smaller[350])


def test_control_tokens_stand_where_they_are_asked_for(train) -> None:
    """Reserved tokens fill the ids before them, and the regular tokens are the same."""
    trained = train(first_control_id=1000, sizes=[350])
    assert [trained.tokenizer.token_to_id(token) for token in CONTROL_TOKENS] == [1000, 1001, 1002]
    assert trained.tokenizer.get_vocab_size() == 1003 and trained.tokenizer.id_to_token(417) == "<|reserved_0|>"
    assert _vocabulary(trained.smaller[350]) == _vocabulary(train(vocab_size=350).tokenizer)
    for settings, words in (
        ({"first_control_id": 416}, "make vocab_size at most 419"),
        ({"first_control_id": 1000, "extend": "-"}, "leave first_control_id out"),
    ):
        with pytest.raises(ValueError, match=words):
            train(**settings)


def test_options_reach_the_vocabulary(train) -> None:
    assert token_characters(b" glotmill") in _vocabulary(train(seeds=[" glotmill"]).tokenizer)
    short = [token for token in _vocabulary(train(max_token_characters=3).tokenizer) if token not in CONTROL_TOKENS]
    assert max(len(token_bytes(token).decode(errors="replace")) for token in short) == 3
    assert len(_vocabulary(train(min_frequency=60).tokenizer)) < 420


def test_weights_given_and_by_temperature(train, counted) -> None:
    _, texts = counted
    sizes = {language: len("".join(documents).encode()) for language, documents in texts.items()}

    def russian(trained: Trained) -> int:
        return len(trained.tokenizer.encode("река дом и сад улица мельница").ids)

    plain = russian(train())
    assert russian(train(weights={"languages": {"ru": 20}})) < plain
    by_temperature = train(weights={"temperature": 5})
    assert russian(by_temperature) < plain
    weights = by_temperature.facts["weights"]
    assert max(weights, key=weights.get) == "ru"
    assert min(weights.values()) == 1.0
    assert weights == pytest.approx({name: (n / max(sizes.values())) ** -0.8 for name, n in sizes.items()}, abs=1e-4)


def test_a_language_whose_pretokens_were_all_too_rare_has_no_weight(tmp_path: Path) -> None:
    """Its text was counted, but nothing of it is left to train on."""
    counter = PretokenCounter(MARKS_AS_LETTERS_PATTERN, GROUP_COLUMNS)
    counter.add(pa.array(["low lower lowest " * 9], pa.large_string()), ("en", "web"))
    job = Job(str(tmp_path), "count", ("counts",), "f", {"pattern": MARKS_AS_LETTERS_PATTERN, "back_off": 5})
    table = counter.table()
    file = write_parquet(job.path("counts", "part-00000.parquet"), table.to_batches(), table.schema)
    job.write_record(0, {"files": {"counts": {"part-00000.parquet": file}}})
    job.close({}, {"documents": 2, "utf8_bytes": 173, "languages": {"en": 153, "lo": 20}})
    settings = Settings.model_validate({"vocab_size": 300, "back_off": 5, "weights": {"temperature": 2}})
    trained = Training(settings, [str(tmp_path)], {}, str(tmp_path / "training"), lambda made, said: None).run()
    assert trained.facts["weights"] == {"en": 1.0}


def test_solved_weights_are_kept_for_a_training_that_goes_on(train, tmp_path: Path, monkeypatch) -> None:
    parity = {"weights": {"parity": {"max_cost": 0.05}}}
    trained = train(**parity)
    found = trained.facts["parity"]
    assert found["gini"] < found["unweighted_gini"]
    assert found["cost"] <= 0.05
    monkeypatch.setattr(vocabulary, "solve", None)  # not solved again
    again = train(**parity)
    assert again.tokenizer.to_str() == trained.tokenizer.to_str()
    assert again.facts == trained.facts


def test_an_extended_tokenizer_keeps_its_ids(train, tmp_path: Path) -> None:
    base = train(vocab_size=320).tokenizer
    base.save(str(tmp_path / "base.json"))
    trained = train(vocab_size=400, extend=str(tmp_path / "base.json"), sizes=[350])
    assert _vocabulary(base).items() <= _vocabulary(trained.tokenizer).items()
    assert sorted(_vocabulary(trained.tokenizer).values()) == list(range(400))
    assert sorted(_vocabulary(trained.smaller[350]).values()) == list(range(350))
    assert [trained.tokenizer.token_to_id(token) for token in CONTROL_TOKENS] == [317, 318, 319]


def test_control_tokens_that_a_base_lacks_are_counted(train, tmp_path: Path) -> None:
    base = build_pipeline(train(vocab_size=320).tokenizer.model, pattern=MARKS_AS_LETTERS_PATTERN)
    base.save(str(tmp_path / "base.json"))
    trained = train(vocab_size=400, extend=str(tmp_path / "base.json"), sizes=[350])
    for size, tokenizer in {400: trained.tokenizer, 350: trained.smaller[350]}.items():
        assert [tokenizer.token_to_id(token) for token in CONTROL_TOKENS] == [size - 3, size - 2, size - 1]
        assert sorted(_vocabulary(tokenizer).values()) == list(range(size))


@pytest.mark.parametrize(
    "settings", [{"sizes": [310]}, {"vocab_size": 315}, {"seeds": ["a longer seed"], "sizes": [320]}]
)
def test_sizes_below_what_is_given_are_refused_before_training(
    train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    train(vocab_size=320).tokenizer.save(str(tmp_path / "base.json"))
    monkeypatch.setattr(vocabulary, "read_counts", None)
    with pytest.raises(ValueError, match=r"but 3\d\d are given: bytes, control tokens, seeds and the tokens of"):
        train(extend=str(tmp_path / "base.json"), **settings)


def test_counts_of_other_runs_are_added(counted, tmp_path: Path) -> None:
    """The same counts twice are as frequent as those once, for pairs half as frequent."""
    folder = counted[0][MARKS_AS_LETTERS_PATTERN]
    once, twice = (
        Training(
            Settings(vocab_size=900, min_frequency=30 * len(runs)), runs, {}, str(tmp_path / str(len(runs))),
            lambda made, said: None,
        ).run()
        for runs in ([folder], [folder, folder])
    )  # fmt: skip
    assert once.tokenizer.to_str() == twice.tokenizer.to_str()
    assert once.tokenizer.get_vocab_size() < 900


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"extend": "missing.json"}, "missing.json is not there"),
        ({"extend": "{tmp}/other.json"}, "pretoken pattern that glotmill does not know"),
        ({"extend": "{tmp}/broken.json"}, "is no tokenizer.json"),
    ],
)
def test_what_cannot_be_extended_is_said(train, tmp_path: Path, settings: dict[str, str], words: str) -> None:
    build_pipeline(pattern=r"\w+").save(str(tmp_path / "other.json"))
    (tmp_path / "broken.json").write_text("{}")
    with pytest.raises(JobError, match=words):
        train(**{key: value.format(tmp=tmp_path) for key, value in settings.items()})


def test_a_weight_of_a_language_without_counts_is_refused(train) -> None:
    with pytest.raises(ValueError, match="weight for 'th'"):
        train(weights={"languages": {"th": 2}})


def test_the_audit_counts_tokens_that_are_out_of_use(train) -> None:
    facts = train(vocab_size=700).facts
    assert 0 < facts["rarely_used"]["1"] <= facts["rarely_used"]["5"]


def test_a_killed_training_goes_on_to_the_same_bytes(finished, tmp_path: Path, checksums, monkeypatch) -> None:
    """Killed twice amid the merges, in a run whose counts are done."""
    monkeypatch.setattr(trainer, "REPORT_EVERY", 10)
    monkeypatch.setattr(trainer, "CHECKPOINT_EVERY", 20)
    made: list[int] = []

    def killed_after(merges: int):
        def train(*arguments: Any, progress: Any, **others: Any) -> Any:
            def stop(done: int, most: int) -> None:
                made.append(done)
                if done >= merges:
                    raise KeyboardInterrupt

            return trainer.train(*arguments, progress=stop, **others)

        return train

    run = Run(load_recipe(finished.recipe), str(tmp_path / "run"), workers=1)
    pipeline.run_until(run, "count")
    for merges in (50, 150):
        monkeypatch.setattr(vocabulary, "train", killed_after(merges))
        with pytest.raises(KeyboardInterrupt):
            pipeline.run_until(run, "train-tokenizer")
    monkeypatch.setattr(vocabulary, "train", killed_after(10_000))
    made.clear()
    pipeline.run_until(run, "train-tokenizer")
    assert made[0] == 150, "it did not go on from the last checkpoint"
    jobs = ("tokenizer", "_jobs/train-tokenizer")
    for job in jobs:
        assert checksums(tmp_path / "run" / job) == checksums(Path(finished.run.output, job))


def test_smaller_vocabularies_lie_beside_the_whole_one(finished) -> None:
    folder = Path(finished.run.output, "tokenizer")
    whole, smaller = (Tokenizer.from_file(str(path / "tokenizer.json")) for path in (folder, folder / "400"))
    assert (whole.get_vocab_size(), smaller.get_vocab_size()) == (500, 400)
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert evaluation["sample_bytes"].keys() >= {"code", "de", "en", "es", "ru", "zh"}
    assert all(row["tokens"] for row in evaluation["languages"])
