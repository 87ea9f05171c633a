"""URL lists of a recipe, end to end: the category is stored, policies reject by it, changed lists are read again."""

from pathlib import Path

from curation.dataset import read_manifest, read_part


def column(run: Path, dataset: str, name: str) -> list[object]:
    files = sorted(read_manifest(str(run), dataset)["files"])
    return [value for file in files for value in read_part(str(run), dataset, file, [name])[name].to_pylist()]


def test_a_listed_url_has_its_category_and_policies_see_it(corpus, tmp_path: Path, glotmill):
    urls = ["https://a.bad.example/1", "https://good.example/2", None, "http://good.example/spam/3"]
    rows = [{"id": str(n), "url": url, "text": corpus.text("en", n, 30)} for n, url in enumerate(urls)]
    corpus.jsonl(tmp_path / "web.jsonl", rows)
    (tmp_path / "bad.txt").write_text("bad.example\n")
    (tmp_path / "spam.txt").write_text("good.example/spam\n")
    policy = "name: urls\ndomains: {web: {rules: {ours.urls: {reject_when: \"url_category = 'bad'\"}}}}"
    inputs = [{"name": "web", "paths": ["web.jsonl"], "format": "jsonl",
               "columns": {"text": "text", "id": "id", "url": "url"}}]  # fmt: skip
    lists = {"bad": "bad.txt", "spam": ["spam.txt"]}
    path = corpus.recipe(tmp_path, inputs, policy, annotate={"url_lists": lists})
    output = tmp_path / "run"
    select = ["select", str(path), "--output", str(output), "--workers", "1"]
    said = glotmill(*select)
    assert said.code == 0, said.err
    assert column(output, "signals", "url_category") == ["bad", None, None, "spam"]
    assert column(output, "decisions", "reasons") == [["ours.urls"], [], [], []]
    said = glotmill("explain", str(output), "0")
    assert said.code == 0 and "url_category" in said.out
    (tmp_path / "bad.txt").write_text("other.example\n")
    assert glotmill(*select).code == 0
    assert column(output, "signals", "url_category") == [None, None, None, "spam"]
    (tmp_path / "bad.txt").write_text("two words\n")
    said = glotmill(*select)
    assert said.code == 1 and "bad.txt, line 1: 'two words' is no domain" in said.err
