"""The recipe's packing, mixture and cache reach the trainer, and the tokens it learned are reported by language."""

import errno
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

import jobs.train as job  # noqa: E402
from jobs import pipeline  # noqa: E402
from jobs.run_context import JobError, Run  # noqa: E402
from tokenizer.shards.reader import open_shards  # noqa: E402


def _train(finished, output: Path, **settings) -> None:
    """The last job of a finished run again, with other settings."""
    if not output.exists():
        shutil.copytree(finished.run.output, output)
    recipe = finished.run.recipe
    train = type(recipe.train).model_validate(recipe.train.model_dump() | settings)
    pipeline.run_until(Run(recipe.model_copy(update={"train": train}), str(output), workers=1), "train")


def test_a_mixture_decides_what_is_learned_and_is_reported(finished, tmp_path, capsys):
    before = json.loads(Path(finished.run.output, "model", "evaluation.json").read_text())["training_tokens"]
    assert len(before) > 1
    with pytest.raises(JobError, match="train: weights for .'xx/web'.*, but the shards have") as refusal:
        _train(finished, tmp_path / "run", mixture=[{"from_step": 0, "weights": {"xx/web": 1}}])
    source = str(refusal.value).split("['")[-1].split("'")[0]
    language = source.split("/")[0]
    mixture = [{"from_step": 0, "weights": {source: 1}}]
    _train(finished, tmp_path / "run", mixture=mixture, packing="concatenate", steps=3, workers=1)
    learned = json.loads((tmp_path / "run" / "model" / "evaluation.json").read_text())["training_tokens"]
    assert list(learned) == [language]
    assert f"learned {learned[language]:,} tokens: {language} 100.0%" in capsys.readouterr().out


def _stages(later: float, first: float = 1.0) -> list[dict]:
    """A batch of 2,048 samples is one block of the mixture, so a stage may begin at any step."""
    weights = [{"en/web": first, "de/web": 1.0}, {"en/web": later, "de/web": 1.0}]
    return [{"from_step": step, "weights": weight} for step, weight in zip((0, 2), weights, strict=True)]


STEPS = {"batch_size": 2048, "sequence_length": 8, "steps": 3, "checkpoint_every": 1}


def test_weights_of_steps_to_come_may_change_and_the_run_goes_on(finished, tmp_path, monkeypatch):
    """A run stopped after step 2 whose third step gets other weights ends as one that had them from the start."""
    import trainer.train

    steps = trainer.train.train

    def stopped(*arguments):
        for metrics in steps(*arguments):
            yield metrics
            if metrics.step == 2:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(trainer.train, "train", stopped)
        _train(finished, tmp_path / "run", mixture=_stages(later=1.0), **STEPS)
    log = tmp_path / "run" / "model" / "metrics.jsonl"
    before = log.read_text()
    _train(finished, tmp_path / "run", mixture=_stages(later=0.0), **STEPS)
    assert log.read_text().startswith(before) and before.count("\n") == 2, "steps 1 and 2 are not trained again"
    _train(finished, tmp_path / "whole", mixture=_stages(later=0.0), **STEPS)
    for file in ("model.safetensors", "evaluation.json"):
        assert (tmp_path / "run/model" / file).read_bytes() == (tmp_path / "whole/model" / file).read_bytes()


def test_weights_of_trained_steps_may_not_change_and_nothing_is_lost(finished, tmp_path, capsys):
    _train(finished, tmp_path / "run", mixture=_stages(later=1.0), **STEPS)
    files = {path: path.read_bytes() for path in (tmp_path / "run" / "model").rglob("*.safetensors")}
    assert len(files) > 1
    with pytest.raises(JobError, match=r"(?s)cannot be continued: .*stages.*remove .*checkpoints to train anew"):
        _train(finished, tmp_path / "run", mixture=_stages(later=1.0, first=2.0), **STEPS)
    assert all(path.read_bytes() == data for path, data in files.items())
    capsys.readouterr()
    _train(finished, tmp_path / "run", mixture=_stages(later=1.0), **STEPS)
    assert "done already" in capsys.readouterr().out.splitlines()[-1]


def test_the_cache_of_remote_shards_is_where_and_as_large_as_the_recipe_says(finished, tmp_path, monkeypatch):
    """By default half of the disk's free space, where that is less than 64 GiB; a change of it trains nothing anew."""
    caches = []
    monkeypatch.setattr(job, "open_shards", lambda url, *cache: caches.append(cache) or open_shards(url))
    _train(finished, tmp_path / "run", cache=str(tmp_path / "cache"), cache_bytes="2 GiB", steps=3)
    assert caches == [(str(tmp_path / "cache"), 2 << 30)] * 2
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10 << 30))
    _train(finished, tmp_path / "run", cache=str(tmp_path / "elsewhere"), steps=3)
    assert len(caches) == 2, "done already"
    _train(finished, tmp_path / "run", steps=2)
    assert [limit for _, limit in caches[2:]] == [5 << 30] * 2
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10 << 40))
    _train(finished, tmp_path / "run", steps=1)
    assert caches[-1][1] == 64 << 30


def test_a_full_disk_is_said_without_a_traceback(finished, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(job, "open_shards", full)
    with pytest.raises(JobError, match="train: .*No space left on device"):
        _train(finished, tmp_path / "run", steps=3)
