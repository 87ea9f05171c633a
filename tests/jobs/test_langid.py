"""`glotmill langid evaluate` on labelled files: figures by length, other codes, texts without a label."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ENGLISH = "The committee will meet again on Thursday to discuss the budget."
GERMAN = "Der Ausschuss wird am Donnerstag wieder über den Haushalt beraten."
UKRAINIAN = "Комітет знову збереться у четвер, щоб обговорити бюджет на наступний рік."


def test_labelled_files_are_measured_by_length(tmp_path: Path, glotmill) -> None:
    texts = [ENGLISH, "Good morning, everyone", GERMAN, " ".join([GERMAN] * 9), UKRAINIAN, ENGLISH, "?"]
    labels = ["eng_Latn", "en", "deu", "de-AT", "uk", "de", None]
    pq.write_table(pa.table({"sentence": texts, "lang": labels}), tmp_path / "labelled.parquet")
    columns = ["--text-column", "sentence", "--language-column", "lang"]
    said = glotmill("langid", "evaluate", "--input", f"{tmp_path}/labelled.parquet", *columns, "--output",
                    f"{tmp_path}/figures.json")  # fmt: skip
    assert said.code == 0, said.err
    assert "1 texts without a label left out" in said.out + said.err and "de as en 1" in said.out + said.err
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert {name: part["texts"] for name, part in figures.items()} == {
        "all": 6, "short": 1, "sentence": 4, "document": 1,
    }  # fmt: skip
    german = figures["all"]["languages"]["de"]
    assert (german["texts"], german["precision"], german["recall"]) == (3, 1, 2 / 3)
    assert figures["sentence"]["false_accept_rate"] == 0 and figures["sentence"]["out_of_set"] == 1


def test_a_wrong_column_is_named(tmp_path: Path, glotmill) -> None:
    pq.write_table(pa.table({"text": [ENGLISH]}), tmp_path / "plain.parquet")
    said = glotmill("langid", "evaluate", "--input", f"{tmp_path}/plain.parquet")
    assert said.code == 1 and "language" in said.err


def test_a_specialist_is_trained_from_labelled_files(tmp_path: Path, glotmill) -> None:
    """And gives the same bytes again; texts in other languages are left out where languages are named."""
    rows = [("saya tidak boleh datang kerana sakit", "zsm"), ("saya tidak bisa datang karena sakit", "ind")] * 30
    rows += [(ENGLISH, "en")] * 5
    table = pa.table({"text": [text for text, _ in rows], "language": [label for _, label in rows]})
    pq.write_table(table, tmp_path / "labelled.parquet")
    chosen = ["--language", "ms", "--language", "id", "--held-out", f"{tmp_path}/labelled.parquet"]
    for name in ("one", "two"):
        said = glotmill("langid", "train", "--input", f"{tmp_path}/labelled.parquet", *chosen, "--output",
                        f"{tmp_path}/{name}.npz")  # fmt: skip
        assert said.code == 0, said.err
    assert "60 texts" in said.out + said.err and "1.000" in said.out + said.err
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    words = [("kerana", "ms"), ("karena", "id"), ("sakit", "ms"), ("sakit", "id")]
    table = pa.table({"text": [word for word, _ in words], "language": [label for _, label in words]})
    pq.write_table(table, tmp_path / "words.parquet")
    said = glotmill("langid", "train", "--input", f"{tmp_path}/labelled.parquet", *chosen, "--words",
                    f"{tmp_path}/words.parquet", "--output", f"{tmp_path}/listed.npz")  # fmt: skip
    assert said.code == 0 and "1.000" in said.out + said.err, said.err
    assert (tmp_path / "listed.npz").read_bytes() != (tmp_path / "one.npz").read_bytes()
    said = glotmill("langid", "train", "--input", f"{tmp_path}/labelled.parquet", "--language", "ms", "--output",
                    f"{tmp_path}/three.npz")  # fmt: skip
    assert said.code == 1 and "the training text has 1: ms" in said.err
