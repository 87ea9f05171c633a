"""Recipes: what is right loads, and everything wrong is named with file, line, key and remedy."""

from pathlib import Path

import pytest

from curation.recipe import RECIPES_FOLDER, RecipeError, load_recipe

GOOD = """name: test
output: runs/test
inputs:
  - name: web
    paths: [data/*.jsonl]
    format: jsonl
"""


def load(tmp_path: Path, text: str):
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return load_recipe(path)


def problem(tmp_path: Path, text: str) -> str:
    with pytest.raises(RecipeError) as error:
        load(tmp_path, text)
    return str(error.value)


def test_paths_are_taken_from_the_folder_of_the_recipe(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).inputs[0].paths == [f"{tmp_path}/data/*.jsonl"]
    assert load(tmp_path, GOOD.replace("data/*", "s3://bucket/*")).inputs[0].paths == ["s3://bucket/*.jsonl"]
    tokenizer = load(tmp_path, GOOD + "tokenizer: {extend: a.json, parallel: b, add_counts: [c, s3://d/e]}\n").tokenizer
    paths = [tokenizer.extend, tokenizer.parallel, *tokenizer.add_counts]
    assert paths == [f"{tmp_path}/a.json", f"{tmp_path}/b", f"{tmp_path}/c", "s3://d/e"]
    library = load(tmp_path, GOOD.replace("data/*.jsonl", '"{python_stdlib}/json/*.py"')).inputs[0].paths[0]
    assert Path(library.replace("*.py", "decoder.py")).is_file()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (GOOD + "seeed: 3\n", 7, ["seeed", "unknown key", "did you mean 'seed'"]),
        (GOOD + "annotate:\n  minhash:\n    bandz: 3\n", 9, ["annotate.minhash.bandz", "did you mean 'bands'"]),
        (GOOD + "    domian: web\n", 7, ["inputs.0.domian", "did you mean 'domain'"]),
        (GOOD + "seed: many\n", 7, ["seed", "integer", "'many'"]),
        (GOOD + "shards: {validation_fraction: 2}\n", 7, ["validation_fraction", "less than 1"]),
        (GOOD + "annotate: {unit_bytes: 3 apples}\n", 7, ["unit_bytes", "'32 MiB'"]),
        (GOOD + "select:\n  languages: [en, dee]\n", 7, ["unknown language 'dee'", "did you mean 'de'"]),
        (GOOD + "select: {mixture: {domains: {web: 0.9, code: 0.2}}}\n", 7, ["add up to 1.1"]),
        (GOOD + "tokenizer: {sizes: [40000]}\n", 7, ["tokenizer", "smaller than vocab_size (32,000)", "40,000"]),
        (GOOD + "tokenizer: {mode: hf_exact, back_off: 5}\n", 7, ["back_off is for mode 'default'"]),
        (GOOD + "tokenizer: {mode: hf_exact, seeds: [a]}\n", 7, ["seeds is for mode 'default'"]),
        (GOOD + "tokenizer: {mode: hf_exact, weights: {temperature: 2}}\n", 7, ["weights is for mode 'default'"]),
        (GOOD + "tokenizer: {weights: {parity: {gini: 0.1}}}\n", 7, ["measured on parallel text", "'parallel'"]),
        (GOOD + "tokenizer: {weights: {}}\n", 7, ["tokenizer.weights", "give one of", "not none"]),
        (GOOD + "tokenizer: {weights: {temperature: 2, languages: {en: 2}}}\n", 7, ["give one of", "temperature"]),
        (GOOD + "tokenizer: {pattern: gpt2, digits: 3}\n", 7, ["digits is for the patterns qwen2", "gpt2 has its own"]),
        (GOOD + "tokenizer: {extend: a.json, pattern: qwen2}\n", 7, ["pattern is that of the tokenizer to extend"]),
        (GOOD + "    language: xx\n", 4, ["language 'xx'"]),
        (GOOD.replace("output: runs/test\n", ""), 1, ["output", "required"]),
        (GOOD + "  - name: web\n    paths: [b]\n    format: text\n", 1, ["two inputs are named 'web'"]),
        (GOOD.replace("jsonl\n", "csv\n"), 6, ["format", "'parquet'", "csv"]),
    ],
)
def test_every_problem_names_its_line_and_remedy(tmp_path: Path, text: str, line: int, words: list[str]) -> None:
    message = problem(tmp_path, text)
    assert f"recipe.yaml:{line}: " in message, message
    for word in words:
        assert word in message, message


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    message = problem(tmp_path, GOOD + "seeed: 1\nannotate: {unit_bytes: 0}\n")
    assert len(message.splitlines()) == 2


def test_what_is_no_recipe_at_all(tmp_path: Path) -> None:
    assert "not readable as YAML" in problem(tmp_path, "a: [1\n")
    assert "mapping" in problem(tmp_path, "- a\n")
    with pytest.raises(RecipeError, match="no such recipe; did you mean 'demo.yaml'"):
        load_recipe(tmp_path / "demos.yaml")


@pytest.mark.parametrize(("written", "bytes_"), [("500000", 500_000), ("32 MiB", 32 << 20), ("1.5 GB", 1_500_000_000)])
def test_sizes(tmp_path: Path, written: str, bytes_: int) -> None:
    assert load(tmp_path, GOOD + f"annotate: {{unit_bytes: {written}}}\n").annotate.unit_bytes == bytes_


def test_the_shipped_recipe_loads() -> None:
    assert load_recipe(RECIPES_FOLDER / "demo" / "demo.yaml").name == "demo"


@pytest.mark.parametrize("written", ["inf GB", "nan", "-5 MB", "1.5.5 MB", "3 TB", "MB", "'1 MB each'", "0", "1.5"])
def test_what_is_no_size_is_refused_by_name(tmp_path: Path, written: str) -> None:
    message = problem(tmp_path, GOOD + f"annotate:\n  max_document_bytes: {written}\n")
    assert "recipe.yaml:8: annotate.max_document_bytes: " in message


def test_files_that_hold_no_text(tmp_path: Path) -> None:
    assert "NoneType" in problem(tmp_path, "")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="binary.yaml: not readable as YAML"):
        load_recipe(tmp_path / "binary.yaml")
    with pytest.raises(RecipeError, match="no such recipe"):
        load_recipe(tmp_path)


def test_a_key_given_twice_is_an_error(tmp_path: Path) -> None:
    assert "recipe.yaml:7: name: this key is given twice" in problem(tmp_path, GOOD + "name: other\n")
    nested = GOOD + "train: {steps: 1, steps: 2}\n"
    assert "recipe.yaml:7: steps: this key is given twice" in problem(tmp_path, nested)


def test_a_policy_file_and_a_model_are_taken_from_the_folder_of_the_recipe(tmp_path: Path) -> None:
    text = GOOD + "select: {policy: mine.yaml}\nannotate: {language_model: lid.bin}\n"
    recipe = load(tmp_path, text)
    assert recipe.select.policy == f"{tmp_path}/mine.yaml"
    assert recipe.annotate.language_model == f"{tmp_path}/lid.bin"
    assert load(tmp_path, GOOD).select.policy == "glotmill-29"
