"""A small generated corpus in three formats, recipes over it, and one whole run that many tests look at."""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from curation.recipe import load_recipe
from jobs import pipeline
from jobs.cli import main
from jobs.run_context import Run
from tests.command import Said

WORDS = {
    "en": "the of and to in that it was for with his they have this from had were there been their which when who will "
    "river house morning people children water mountain village letter winter garden answer bridge harvest mill grain "
    "story music teacher window evening kitchen market journey forest captain island season harbour",
    "de": "der die das und ist nicht mit sich auch auf eine wird dem sind noch wie einen aber nach dann hat über wurde "
    "Haus Wasser Straße Kinder Mühle Brücke Garten Winter Morgen Berg Dorf Brief Antwort Fenster Küche Markt Reise "
    "Wald Geschichte Lehrer Abend Insel Ernte Fluss Menschen Musik",
    "es": "el la los que de en y una por con para como más pero sus este ya entre cuando todo esta ser son dos también "
    "casa agua calle niños molino puente jardín invierno mañana montaña pueblo carta respuesta ventana cocina mercado "
    "viaje bosque historia maestro noche isla cosecha río gente música",
    "ru": "и в не на что он как это все она так его только было вот от меня еще нет когда даже ну вдруг если уже или "
    "дом вода улица дети мельница мост сад зима утро гора деревня письмо ответ окно кухня рынок дорога лес история "
    "учитель вечер остров урожай река люди музыка",
    "zh": "我们 他们 今天 天气 公园 散步 学校 老师 学生 河流 房子 早晨 孩子 山上 村庄 冬天 花园 "
    "回答 桥梁 收获 磨坊 故事 音乐 窗户 晚上 厨房 市场 旅行 森林 "
    "船长 岛屿 季节 的 了 是 在 有 和 就 不 人 都 一个 上 也 很 到 说 要 去",
}

POLICY = """
name: small
description: A few rules that some of the generated documents fail.
domains:
  web:
    rules:
      small.words: {signal: words, min: 20}
      small.digits: {signal: digit_ratio, max: 0.2}
      small.letters: {signal: letter_ratio, min: 0.5}
  code:
    rules:
      small.length: {signal: characters, min: 60}
"""


class Corpus:
    """Makes texts and files; everything is a pure function of its arguments."""

    @staticmethod
    def text(language: str, seed: int, words: int = 80) -> str:
        """Sentences of random words, too random for two texts to be near duplicates."""
        generator = random.Random(f"{language}/{seed}")
        bank = WORDS[language].split()
        space, stop = ("", "。") if language == "zh" else (" ", ". ")
        sentences = [generator.choices(bank, k=10) for _ in range(words // 10)]
        return stop.join(space.join(sentence) for sentence in sentences) + stop.strip()

    @staticmethod
    def code(seed: int) -> str:
        generator = random.Random(seed)
        names = [f"{generator.choice('abcdefgh')}{generator.randint(0, 999)}" for _ in range(30)]
        return "".join(f"def {name}(value):\n    return value + {number}\n\n\n" for number, name in enumerate(names))

    @staticmethod
    def jsonl(path: Path, rows: list[Any]) -> Path:
        """One line each: a mapping as JSON, text or bytes as they are."""
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            row if isinstance(row, bytes) else (row if isinstance(row, str) else json.dumps(row)).encode()
            for row in rows
        ]
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path

    @staticmethod
    def recipe(folder: Path, inputs: list[dict[str, Any]], policy: str = POLICY, **settings: Any) -> Path:
        """A recipe file, with its policy beside it; ``settings`` are further keys of the recipe."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "policy.yaml").write_text(policy, encoding="utf-8")
        data = {
            "name": "small",
            "output": str(folder / "run"),
            "seed": 3,
            "inputs": inputs,
            **settings,
            "select": {"policy": str(folder / "policy.yaml"), **settings.get("select", {})},
        }
        path = folder / "recipe.yaml"
        path.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
        return path


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    return Corpus()


GOOD_WEB, BAD_WEB, PAGES, FILES = 90, 12, 60, 8


def _write_inputs(folder: Path) -> list[dict[str, Any]]:
    rows: list[Any] = [
        {"id": f"web-{n}", "text": Corpus.text(("en", "de", "es")[n % 3], n), "url": f"https://example.org/{n}"}
        for n in range(GOOD_WEB)
    ]
    short = [{"id": f"short-{n}", "text": f"These are only numbers: {n} {n}{n}{n}{n}{n}{n}{n}"} for n in range(BAD_WEB)]
    copies = [{"id": "copy-of-5", "text": rows[5]["text"]}, {"id": "a-copy-of-7", "text": rows[7]["text"]}]
    near = [{"id": "longer-8", "text": rows[8]["text"] + " " + Corpus.text("es", 8_000, 10)}]
    Corpus.jsonl(folder / "web.jsonl", [*rows[:40], "{broken", *short, *rows[40:], *copies, *near])
    table = pa.table(
        {
            "key": [f"page-{n}" for n in range(PAGES)],
            "body": [Corpus.text(("ru", "zh")[n % 2], n) for n in range(PAGES)],
            "year": list(range(1960, 1960 + PAGES)),
        }
    )
    pq.write_table(table, folder / "pages.parquet", row_group_size=25)
    for number in range(FILES):
        path = folder / "code" / f"package{number % 2}" / f"module{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Corpus.code(number), encoding="utf-8")
    return [
        {"name": "web", "paths": [str(folder / "web.jsonl")], "format": "jsonl",
         "columns": {"text": "text", "id": "id", "url": "url"}},
        {"name": "pages", "paths": [str(folder / "*.parquet")], "format": "parquet",
         "columns": {"text": "body", "id": "key"}, "metadata": ["year"], "license": "CC0-1.0"},
        {"name": "python", "paths": [str(folder / "code/**/*.py")], "format": "source_tree", "domain": "code"},
    ]  # fmt: skip


SMALL: dict[str, Any] = {
    "annotate": {"unit_bytes": 6000, "max_bad_fraction": 0.05},
    "select": {"rejected_text": 0.5, "mixture": {"max_copies": 2, "temperature": 1.5}},
    "tokenizer": {
        "vocab_size": 500, "sizes": [400], "sample_bytes": 60_000, "unit_bytes": 10_000, "license": "CC0-1.0",
    },
    "shards": {"unit_bytes": 40_000, "validation_fraction": 0.15},
    "train": {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 1, "sequence_length": 32, "batch_size": 2, "steps": 4, "warmup_steps": 1,
        "checkpoint_every": 2, "evaluate_every": 2, "device": "cpu",
    },
}  # fmt: skip
"""Settings under which the small corpus makes many parts and several shards."""


@dataclass(frozen=True)
class Finished:
    """A run that went through, and the graphs of all its Beam pipelines."""

    run: Run
    recipe: Path
    graphs: list[Any]

    def read(self, dataset: str, columns: list[str] | None = None) -> pa.Table:
        """All rows of a dataset in part order."""
        folder = Path(self.run.output, dataset)
        manifest = json.loads((folder / "manifest.json").read_text())
        return pa.concat_tables([pq.ParquetFile(folder / file).read(columns) for file in sorted(manifest["files"])])


@pytest.fixture(scope="session")
def small_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recipe over JSON lines (one of them broken), Parquet and a source tree, with planted duplicates."""
    folder = tmp_path_factory.mktemp("small")
    return Corpus.recipe(folder, _write_inputs(folder / "inputs"), **SMALL)


@pytest.fixture(scope="session")
def finished(small_recipe: Path) -> Finished:
    """The small recipe run from inputs to model by one worker."""
    recipe = load_recipe(small_recipe)
    run = Run(recipe, recipe.output, workers=1)
    graphs: list[Any] = []
    execute = Run.execute

    def recording(self: Run, build: Callable[[beam.Pipeline], object], work_units: int) -> None:
        graph = beam.Pipeline()
        build(graph)
        graphs.append(graph.to_runner_api())
        execute(self, build, work_units)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "execute", recording)
        pipeline.run_until(run, "train")
    return Finished(run, small_recipe, graphs)


@pytest.fixture(scope="session")
def checksums() -> Callable[[str | Path], dict[str, str]]:
    """SHA-256 of every file below a folder, by relative path."""

    def of(folder: str | Path) -> dict[str, str]:
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    return of


@pytest.fixture(scope="session", autouse=True)
def _one_torch_thread() -> None:
    """Tests run beside each other; and the bytes of a model depend on the number of threads."""
    torch.set_num_threads(1)


@pytest.fixture
def glotmill(monkeypatch, capsys) -> Callable[..., Said]:
    """The command in this process."""

    def call(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["glotmill", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        assert isinstance(caught.value.code, int | None)
        return Said(caught.value.code or 0, *capsys.readouterr())

    return call
