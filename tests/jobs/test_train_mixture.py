"""The recipe's packing and mixture reach the trainer, and the tokens it learned are reported by language."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")

from jobs import pipeline  # noqa: E402
from jobs.run_context import JobError, Run  # noqa: E402


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
