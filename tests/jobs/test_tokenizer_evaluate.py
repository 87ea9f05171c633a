"""`glotmill tokenizer evaluate` on a run and on files, and what it says of inputs it cannot use."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation import storage
from curation.readers import lines
from jobs import tokenizer_evaluate, tokenizer_text
from jobs.errors import JobError
from jobs.tokenizer_text import TextColumns, read_groups
from tests.page import Page
from tokenizer.evaluation import Group, Subject


@pytest.fixture(scope="module")
def exported(finished) -> str:
    return str(Path(finished.run.output, "tokenizer"))


def _evaluate(glotmill, *arguments: str, output: Path):
    return glotmill("tokenizer", "evaluate", *arguments, "--output", str(output))


def test_a_run_is_measured_with_its_tokenizer_and_another(finished, exported, tmp_path, glotmill) -> None:
    """Figures of all groups of curated/; the ranks of the same tokenizer give the same figures."""
    parallel = tmp_path / "parallel.jsonl"
    rows = [("en", "all human beings"), ("de", "alle Menschen"), ("zh", "人人")]
    parallel.write_text("".join(json.dumps({"language": c, "article": 1, "text": t}) + "\n" for c, t in rows))
    ranks = f"ranks={exported}/tokenizer.tiktoken@qwen2"
    said = _evaluate(glotmill, exported, ranks, "--text", finished.run.output, "--parallel", str(parallel),
                     output=tmp_path / "out")  # fmt: skip
    assert said.code == 0, said.err
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    ours, theirs = found["tokenizers"]
    assert (ours["name"], theirs["name"]) == ("tokenizer", "ranks") and ours["all"]["tokens"] == theirs["all"]["tokens"]
    assert set(ours["parallel"]["premium"]) == {"en", "de", "zh"}
    curated = finished.read("curated", ["text"])
    assert ours["all"]["documents"] == len(curated)
    assert ours["all"]["utf8_bytes"] == sum(len(text.encode()) for text in curated["text"].to_pylist())
    assert [row["kind"] for row in ours["code"]] == ["py"]
    page = Page((tmp_path / "out" / "evaluation.html").read_text())
    assert page.row("tokenizer")[2] == f"{ours['all']['bytes_per_token']:.2f}"
    assert "| bytes per token |" in (tmp_path / "out" / "evaluation.md").read_text()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("/x/lang=en/tok", ("/x/lang=en/tok", None, None)),
        ("./lang=en/tok", ("./lang=en/tok", None, None)),
        ("mine=/x/lang=en/tok", ("/x/lang=en/tok", None, "mine")),
        ("/home/user@host/tok", ("/home/user@host/tok", None, None)),
        ("s3://bucket/a=b/tokenizer.json", ("s3://bucket/a=b/tokenizer.json", None, None)),
        ("gpt=/home/user@host/x.tiktoken@gpt2", ("/home/user@host/x.tiktoken", "gpt2", "gpt")),
        ("x.tiktoken@", ("x.tiktoken", None, None)),
    ],
)
def test_paths_may_hold_the_marks_of_names_and_patterns(given, meant, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []

    def load(path: str, pattern: str | None, name: str | None) -> Subject:
        loaded.append((path, pattern, name))
        return Subject(name or path, lambda texts: None, ())

    monkeypatch.setattr(tokenizer_evaluate, "load", load)
    tokenizer_evaluate._subjects([given])
    assert loaded == [meant]


def test_the_report_and_the_card_of_a_run_hold_the_figures(finished, exported) -> None:
    evaluation = json.loads(Path(exported, "evaluation.json").read_text())
    assert evaluation["vocabulary"]["vocabulary_size"] == evaluation["vocab_size"]
    english = next(row for row in evaluation["languages"] if row["language"] == "en")
    assert english["fertility"] >= 1 and 0 <= english["continued_words"] <= 1
    assert f"| English | {evaluation['sample_bytes']['en'] / 1e6:.2f} |" in Path(exported, "README.md").read_text()
    assert "| licence | CC0-1.0 |" in Path(exported, "README.md").read_text()


def test_files_of_both_kinds_with_columns_of_their_own(tmp_path: Path) -> None:
    table = {
        "body": ["a text", None, "print(1)", "let x", "math"],
        "lang": ["en", "en", "code", "code", "en"],
        "kind": [None, None, "code:python", "code:rust", None],
        "domain": [None, None, None, None, "math"],
    }
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_text('{"body": "ein Text", "lang": "de"}\n{"body": "was", "lang": null}\n')
    groups = read_groups([str(tmp_path)], TextColumns("body", "lang", "kind"), 1_000)
    assert {group: text.text.to_pylist() for group, text in groups.items()} == {
        Group("code", "code", "python"): ["print(1)"],
        Group("code", "code", "rust"): ["let x"],
        Group("de", "web"): ["ein Text"],
        Group("en", "math"): ["math"],
        Group("en", "web"): ["a text"],
        Group("und", "web"): ["was"],
    }
    assert list(groups) == sorted(groups)


def test_the_sample_depends_on_the_documents_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not on their order, nor on files and batches; it is as large as asked."""
    texts = [f"document number {n} of some length" for n in range(400)]
    pq.write_table(pa.table({"text": texts, "language": ["en"] * 400}), tmp_path / "one.parquet")
    for part, rows in enumerate((texts[:150], texts[150:])):
        pq.write_table(
            pa.table({"text": rows[::-1], "language": ["en"] * len(rows)}), tmp_path / f"part-{part}.parquet"
        )
    whole = read_groups([str(tmp_path / "one.parquet")], TextColumns(), 2_000)
    monkeypatch.setattr(tokenizer_text, "BATCH_ROWS", 7)
    parts = read_groups([str(tmp_path / "part-1.parquet"), str(tmp_path / "part-0.parquet")], TextColumns(), 2_000)
    (one,), (other,) = whole.values(), parts.values()
    assert one.text == other.text and 1_950 < one.utf8_bytes <= 2_000
    (least,) = read_groups([str(tmp_path / "one.parquet")], TextColumns(), 1).values()
    assert least.text.to_pylist() == one.text.to_pylist()[:1]


def test_json_lines_are_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the groups of the whole, also where a block has no text, no language or other types than the first."""
    rows = [{"text": f"text {n}", "language": ["en", "de", None][n % 3], "url": f"a.{n}"} for n in range(90)]
    rows[30:60] = [{"language": 7} for _ in range(30)]
    rows[60:] = [{"text": f"last {n}", "domain": "code", "url": f"x/{n}.py"} for n in range(30)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "\n" * 500)
    monkeypatch.setattr(lines, "BLOCK_BYTES", 200)
    monkeypatch.setattr(storage, "read_bytes", None)  # never the whole file
    groups = read_groups([str(path)], TextColumns(), 1_000_000)
    expected: dict[Group, list[str]] = {}
    for row in rows:
        if "text" in row:
            domain = row.get("domain", "web")
            group = Group(row.get("language") or "und", domain, "py" if domain == "code" else "")
            expected.setdefault(group, []).append(row["text"])
    assert {group: sorted(text.text.to_pylist()) for group, text in groups.items()} == {
        group: sorted(texts) for group, texts in expected.items()
    }
    path.write_text('{"text": "a"}\n{"text": \n')
    with pytest.raises(JobError, match=r"rows.jsonl, lines from byte 0 on: no JSON objects"):
        read_groups([str(path)], TextColumns(), 1_000)


def test_what_cannot_be_used_is_explained(exported, tmp_path, glotmill) -> None:
    text = tmp_path / "text.parquet"
    pq.write_table(pa.table({"text": ["a"]}), text)
    (tmp_path / "text.csv").write_text("a")
    (tmp_path / "parallel.jsonl").write_text("{}\n")
    for arguments, said in (
        ((exported, "--text", str(tmp_path / "none")), "neither a run that has selected nor"),
        ((exported, "--text", str(tmp_path / "text.csv")), "neither Parquet nor JSON lines"),
        ((exported, "--text", str(text), "--text-column", "body"), "has no column 'body'; it has text"),
        ((exported, exported, "--text", str(text)), "several tokenizers are called tokenizer"),
        ((*[exported] * 5, "--text", str(text)), "compare at most 4"),
        ((str(tmp_path), "--text", str(text)), "name a tokenizer.json"),
        ((f"{exported}/tokenizer.tiktoken", "--text", str(text)), "tiktoken files need a pattern"),
        ((exported, "--text", str(text), "--parallel", str(tmp_path / "parallel.jsonl")), "line 1: no JSON object"),
    ):
        found = _evaluate(glotmill, *arguments, output=tmp_path / "out")
        assert found.code == 1 and said in found.err, found.err
    assert not (tmp_path / "out").exists()
