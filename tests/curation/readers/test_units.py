"""Work units: they cover every input once, depend on files and recipe alone, and refuse what cannot be read."""

import gzip
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.readers.units import Plan, PlanError, plan_units, read_unit
from curation.recipe import Annotate, Columns, Input, Recipe


def recipe_of(*inputs: Input, unit_bytes: int = 400) -> Recipe:
    return Recipe(name="t", output="out", inputs=list(inputs), annotate=Annotate(unit_bytes=unit_bytes))


def jsonl(path: Path, texts: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[Input, ...]:
    """One input of every kind, and the texts in it named after it."""
    for name in ("b", "a"):
        jsonl(tmp_path / "web" / f"{name}.jsonl", [f"web {name} {i} {'x' * 20}" for i in range(40)])
    (tmp_path / "web" / "c.jsonl.gz").write_bytes(gzip.compress(b'{"text": "web gz"}\n'))
    (tmp_path / "books").mkdir()
    pq.write_table(pa.table({"text": [f"book {i} {'y' * 20}" for i in range(50)]}), tmp_path / "books" / "a.parquet")
    (tmp_path / "notes.txt").write_text("".join(f"note {i}\n" for i in range(100)))
    for name in ("main.py", "sub/util.py", "sub/deep/x.py"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text(f"code {name}")
    return (
        Input(name="web", paths=[f"{tmp_path}/web/*.jsonl*"], format="jsonl"),
        Input(name="books", paths=[f"{tmp_path}/books/*"], format="parquet"),
        Input(name="notes", paths=[f"{tmp_path}/notes.txt"], format="text", document="line"),
        Input(name="tree", paths=[f"{tmp_path}/tree/**/*.py"], format="source_tree", domain="code"),
    )


def read_all(plan: Plan, recipe: Recipe) -> list[str]:
    steps = [step for unit in plan.units for step in read_unit(unit, recipe.inputs[unit.input], recipe.annotate)]
    assert not [record for step in steps for record in step.dead]
    return [text.decode() for step in steps for text in step.batch["text"].to_pylist()]


@pytest.mark.parametrize("unit_bytes", [50, 400, 1 << 20])
def test_every_document_is_in_one_unit(inputs: tuple[Input, ...], unit_bytes: int) -> None:
    """The same documents in the same order, however large the units."""
    recipe = recipe_of(*inputs, unit_bytes=unit_bytes)
    plan = plan_units(recipe)
    assert [unit.ordinal for unit in plan.units] == list(range(len(plan.units)))
    filler = "x" * 20
    expected = [f"web {name} {i} {filler}" for name in "ab" for i in range(40)] + ["web gz"]
    expected += [f"book {i} {'y' * 20}" for i in range(50)] + [f"note {i}" for i in range(100)]
    expected += [f"code {name}" for name in ("main.py", "sub/deep/x.py", "sub/util.py")]
    assert read_all(plan, recipe) == expected
    if unit_bytes < 1000:
        assert len(plan.units) > 10
        assert all(unit.bytes <= unit_bytes or len(unit.slices) == 1 for unit in plan.units)
    else:
        assert len(plan.units) == len(inputs)


def test_a_plan_is_a_pure_function_of_files_and_recipe(inputs: tuple[Input, ...], tmp_path: Path) -> None:
    """The order in which patterns name the files does not matter; nor does the folder, for the fingerprint."""
    plan = plan_units(recipe_of(*inputs))
    assert plan_units(recipe_of(*inputs)) == plan
    web = inputs[0]
    turned = web.model_copy(update={"paths": [f"{tmp_path}/web/b.jsonl", *web.paths, f"{tmp_path}/web/a.jsonl"]})
    assert plan_units(recipe_of(turned, *inputs[1:])) == plan

    for name in ("web", "books", "notes.txt", "tree"):
        (tmp_path / "moved").mkdir(exist_ok=True)
        shutil.move(tmp_path / name, tmp_path / "moved" / name)
    moved = [
        item.model_copy(update={"paths": [path.replace(str(tmp_path), f"{tmp_path}/moved") for path in item.paths]})
        for item in inputs
    ]
    assert plan_units(recipe_of(*moved)).fingerprint() == plan.fingerprint()


def test_the_fingerprint_sees_a_changed_file(inputs: tuple[Input, ...], tmp_path: Path) -> None:
    before = plan_units(recipe_of(*inputs)).fingerprint()
    path = tmp_path / "notes.txt"
    path.write_text(path.read_text().replace("note 7\n", "Note 7\n"))
    assert plan_units(recipe_of(*inputs)).fingerprint() != before


def test_source_files_are_named_by_their_path_in_the_tree(inputs: tuple[Input, ...]) -> None:
    recipe = recipe_of(inputs[3])
    units = plan_units(recipe).units
    rows = [row for unit in units for step in read_unit(unit, inputs[3], recipe.annotate)
            for row in step.batch.to_pylist()]  # fmt: skip
    assert [row["url"] for row in rows] == ["tree/main.py", "tree/sub/deep/x.py", "tree/sub/util.py"]


def test_all_problems_are_reported_at_once_with_what_to_do(inputs: tuple[Input, ...], tmp_path: Path) -> None:
    pq.write_table(pa.table({"txt": ["a"], "url": ["u"]}), tmp_path / "misspelt.parquet")
    pq.write_table(pa.table({"text": [1]}), tmp_path / "numbers.parquet")
    recipe = recipe_of(
        Input(name="one", paths=[f"{tmp_path}/note.txt"], format="text"),
        Input(name="two", paths=[f"{tmp_path}/nowhere/*.jsonl"], format="jsonl"),
        Input(name="three", paths=[f"{tmp_path}/misspelt.parquet"], format="parquet"),
        Input(name="four", paths=[f"{tmp_path}/numbers.parquet"], format="parquet"),
        Input(name="five", paths=[f"{tmp_path}/web/a.jsonl"], format="jsonl", columns=Columns(text="texts")),
        Input(name="six", paths=[f"{tmp_path}/web/a.jsonl"], format="jsonl", metadata=["lang"]),
    )
    with pytest.raises(PlanError) as error:
        plan_units(recipe)
    lines = str(error.value).splitlines()
    expected = (
        ("one", "note.txt", "did you mean notes.txt?"),
        ("two", "nowhere", "there is no folder"),
        ("three", "'text' (did you mean 'txt'?)", "there are: txt, url"),
        ("four", "int64", "must hold strings"),
        ("five", "'texts' (did you mean 'text'?)", "a.jsonl"),
        ("six", "'lang'", "there are: text"),
    )
    assert len(lines) == len(expected)
    for line, (name, *words) in zip(lines, expected, strict=True):
        assert f"input '{name}'" in line and all(word in line for word in words), line


def test_broken_files_are_dead_records_and_the_rest_is_read(tmp_path: Path) -> None:
    """Empty files, a Parquet file that is cut off and one that is none: the job learns of each and goes on."""
    pq.write_table(pa.table({"text": ["good"] * 100}), tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-10])
    (tmp_path / "c.parquet").write_bytes(b"")
    (tmp_path / "d.parquet").write_bytes(b"not Parquet at all")
    item = Input(name="books", paths=[f"{tmp_path}/*.parquet"], format="parquet")
    recipe = recipe_of(item)
    steps = [step for unit in plan_units(recipe).units for step in read_unit(unit, item, recipe.annotate)]
    assert sum(step.batch.num_rows for step in steps) == 100
    dead = [record for step in steps for record in step.dead]
    assert [Path(record.path).name for record in dead] == ["b.parquet", "c.parquet", "d.parquet"]
    assert "not a readable Parquet file" in dead[0].error and "empty" in dead[1].error
    assert all(record.location == "file" for record in dead)
