"""Commands what-if and explain on a real run: what they foretell is what deciding does, and errors say what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

from curation.dataset import Job, part_name, read_manifest, read_part
from curation.recipe import load_recipe
from filters.policy import PolicyError
from filters.what_if import KEPT, REJECTED
from jobs import pipeline, select
from jobs.explain import BEGINNING, fate, find
from jobs.look_up import decided_files, recorded_policy, rows_at
from jobs.run_context import JobError, Run
from jobs.what_if import ask, pose
from tests.command import Said

SETTINGS = ["small.words=1", "small.digits=off", "small.letters=0.1", "small.letters@es=0.99", "code.characters=500"]


@pytest.fixture(scope="module")
def run(small_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small recipe run up to the decisions and the mixture."""
    recipe = load_recipe(small_recipe)
    opened = Run(recipe, str(tmp_path_factory.mktemp("decided")), workers=1)
    pipeline.run_until(opened, "select")
    return opened


def decisions(folder: str) -> pl.DataFrame:
    return pl.read_parquet(f"{folder}/decisions/*.parquet").with_columns(kept=pl.col("reasons").list.len() == 0)


def test_the_runs_own_policy_changes_nothing(run):
    answer = ask(run.output, pose(run.output, [], None), samples=5)
    assert answer.rules.is_empty() and answer.samples.is_empty()
    assert answer.groups["newly_rejected"].sum() == 0 == answer.groups["newly_kept"].sum()
    assert answer.groups["documents"].sum() == len(decisions(run.output))
    assert answer.groups["kept"].sum() == decisions(run.output)["kept"].sum()


def test_what_moves_is_exactly_what_deciding_with_the_edited_policy_moves(run, tmp_path):
    question = pose(run.output, SETTINGS, None)
    answer = ask(run.output, question, samples=1000)
    assert answer.groups["newly_rejected"].sum() > 10 and answer.groups["newly_kept"].sum() > 0

    copy = Path(shutil.copytree(run.output, tmp_path / "run"))
    policy = tmp_path / "edited.yaml"
    policy.write_text(yaml.safe_dump(question.after.model_dump()), encoding="utf-8")
    edited = run.recipe.select.model_copy(update={"policy": str(policy)})
    again = Run(run.recipe.model_copy(update={"select": edited}), str(copy), workers=1)
    annotated, deduplicated = (
        Job(str(copy), name, (dataset,), read_manifest(str(copy), dataset)["fingerprint"], {})
        for name, dataset in (("annotate", "signals"), ("dedup", "duplicates"))
    )
    select.decide(again, annotated, deduplicated)

    both = decisions(run.output).join(decisions(str(copy)), on="address", suffix="_then")
    moved = both.filter(pl.col("kept") != pl.col("kept_then"))
    expected = dict(moved.select("address", pl.when("kept").then(pl.lit(REJECTED)).otherwise(pl.lit(KEPT))).iter_rows())
    assert dict(answer.samples.select("address", "direction").iter_rows()) == expected
    by_group = moved.group_by("language", "domain", "kept").agg(pl.len(), pl.col("utf8_bytes").sum())
    for row in by_group.iter_rows(named=True):
        here = (pl.col("language") == row["language"]) & (pl.col("domain") == row["domain"])
        group, name = (
            answer.groups.row(by_predicate=here, named=True),
            "newly_rejected" if row["kept"] else "newly_kept",
        )
        assert (group[name], group[f"{name}_bytes"]) == (row["len"], row["utf8_bytes"])
    failing = both.select(
        now=pl.col("reasons_then").list.set_difference("reasons").list.len().sum(),
        no_more=pl.col("reasons").list.set_difference("reasons_then").list.len().sum(),
    ).row(0)
    assert (answer.rules["now_failing"].sum(), answer.rules["now_passing"].sum()) == failing


def test_only_documents_of_the_language_are_asked(run):
    question = pose(run.output, SETTINGS, None)
    whole, german = ask(run.output, question, 3), ask(run.output, question, 3, "de")
    assert set(german.samples["language"]) <= {"de"}
    assert german.groups.equals(whole.groups.filter(pl.col("language") == "de"))


def test_another_policy_is_compared_with_the_runs(run, tmp_path):
    policy = tmp_path / "other.yaml"
    policy.write_text("name: other\ndomains: {web: {rules: {o.words: {signal: words, min: 1000000}}}}")
    answer = ask(run.output, pose(run.output, [], str(policy)), 0)
    web = answer.groups.filter(pl.col("domain") == "web")
    assert web["newly_rejected"].to_list() == web["kept"].to_list() and web["kept"].sum() > 0


def test_what_if_prints_the_changes_and_samples_with_rule_value_and_text(run, glotmill):
    said = glotmill("what-if", run.output, "--set", "small.words=81", "--samples", "2")
    assert said.code == 0 and said.err == ""
    for piece in ("web.small.words.min=81", "newly rejected, samples", "small.words: 81 or more;"):
        assert piece in said.out
    assert glotmill("what-if", run.output).out.rstrip().endswith("no document changes its reasons")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--set", "small.wrods.min=3"], "did you mean 'small.words'?"),
        (["--language", "dee"], "no document is in language 'dee'; did you mean 'de'?"),
        (["--policy", "goper"], "no policy 'goper'; did you mean 'gopher'?"),
    ],
)
def test_errors_of_what_if_are_one_clear_line(run, glotmill, arguments, says):
    said = glotmill("what-if", run.output, *arguments)
    assert said.code == 1 and said.err.startswith("error: ") and says in said.err and said.err.count("\n") == 1


def test_a_run_that_has_not_decided_is_an_error(tmp_path, run):
    with pytest.raises(JobError, match=r"no decisions here .* run `glotmill select`"):
        recorded_policy(str(tmp_path))
    copy = Path(shutil.copytree(run.output, tmp_path / "run"))
    (copy / "decisions" / "manifest.json").unlink()
    with pytest.raises(FileNotFoundError, match="dataset 'decisions' is not finished"):
        decided_files(str(copy))
    (copy / "_jobs" / "decide" / "job.json").write_text('{"recipe": {}}')
    with pytest.raises(JobError, match="is damaged"):
        recorded_policy(str(copy))


def test_decisions_of_older_signals_are_an_error(tmp_path, run):
    copy = Path(shutil.copytree(run.output, tmp_path / "run"))
    manifest = copy / "signals" / "manifest.json"
    manifest.write_text(manifest.read_text().replace(read_manifest(str(copy), "signals")["fingerprint"], "other"))
    with pytest.raises(JobError, match="belongs to older signals"):
        decided_files(str(copy))


def test_a_policy_on_a_signal_that_the_run_does_not_have_is_an_error(tmp_path, run):
    copy = Path(shutil.copytree(run.output, tmp_path / "run"))
    manifest = copy / "signals" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"digit_ratio"', '"other"'))
    with pytest.raises(JobError, match=r"no column digit_ratio, which policy 'small' reads.*glotmill annotate"):
        ask(str(copy), pose(str(copy), [], None), 0)


def test_rows_are_found_by_address_in_any_order(run):
    addresses = decisions(run.output)["address"].to_list()[::-7]
    found = rows_at(run.output, "documents", addresses, ["address", "text"])
    assert found["address"].to_list() == addresses and found.columns == ["address", "text"]
    with pytest.raises(JobError, match="there is no row 4,000,000"):
        rows_at(run.output, "documents", [4_000_000])
    with pytest.raises(JobError, match="there is no document in part 999"):
        rows_at(run.output, "documents", [999 << 32])


def test_a_document_is_found_by_id_or_address(run):
    address = find(run.output, "web-17")
    assert rows_at(run.output, "documents", [address])["id"][0] == "web-17"
    assert find(run.output, str(address)) == address
    with pytest.raises(JobError, match=r"no document has the id 'copy-of'; ids that contain it: .*copy-of-5"):
        find(run.output, "copy-of")


def test_explain_shows_signals_rules_duplicates_decision_and_text(run, glotmill):
    duplicate = decisions(run.output).filter(pl.col("reasons").list.contains("dedup.exact"))["address"][0]
    said = glotmill("explain", run.output, str(duplicate))
    assert said.code == 0
    text = rows_at(run.output, "documents", [duplicate])["text"][0]
    keeper = rows_at(run.output, "duplicates", [duplicate])["keeper"][0]
    for piece in ("small.words", "20 or more", "pass", "of 2 documents", str(keeper), "exact", "1.000",
                  "decision by small: rejected: dedup.exact", text[:100]):  # fmt: skip
        assert piece in said.out
    assert text[: BEGINNING + 1] not in said.out or len(text) <= BEGINNING
    assert "decision by gopher: rejected: gopher." in glotmill(
        "explain", run.output, "short-3", "--policy", "gopher"
    ).out.replace("\n", " ")


def test_explain_says_what_the_mixture_made_of_a_kept_document(run):
    for file in decided_files(run.output):
        kept = pl.from_arrow(read_part(run.output, "decisions", file)).filter(pl.col("reasons").list.len() == 0)
        for row in kept.iter_rows(named=True):
            curated = Path(run.output, "curated", f"language={row['language']}", f"domain={row['domain']}")
            part = curated / f"{part_name(row['address'] >> 32)}.parquet"
            frame = pl.read_parquet(part) if part.exists() else pl.DataFrame({"address": [], "copies": []})
            copies = frame.filter(pl.col("address") == row["address"])["copies"].to_list()
            said = fate(run.output, row["address"], row["language"], row["domain"])
            expected = "left out by the mixture (mixture.downsampled)" if not copies else (
                f"the mixture uses it {'once' if copies[0] == 1 else f'{copies[0]} times'} in an epoch")  # fmt: skip
            assert said == expected


def test_explain_annotates_a_text_file_as_a_run_would(run, glotmill, tmp_path):
    address = find(run.output, "web-1")
    file = tmp_path / "page.txt"
    file.write_text(rows_at(run.output, "documents", [address])["text"][0], encoding="utf-8")
    policy = tmp_path / "policy.yaml"
    policy.write_text(yaml.safe_dump(recorded_policy(run.output).model_dump()), encoding="utf-8")

    def signals(said: Said) -> list[str]:
        lines = said.out.splitlines()
        return [line for line in lines if any(f" {name} " in line for name in ("words", "digit_ratio", "characters"))]

    from_file, from_run = (
        glotmill("explain", str(file), "--policy", str(policy)),
        glotmill("explain", run.output, "web-1"),
    )
    assert from_file.code == 0 and "decision by small: kept" in from_file.out
    assert signals(from_file) == signals(from_run) != []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["page.txt", "--language", "dee"], "unknown language 'dee'; did you mean 'de'?"),
        (["page.txt", "--domain", "wb"], "unknown domain 'wb'; did you mean 'web'?"),
        (["pages.txt"], "pages.txt: no such text file"),
        (["."], "is a folder; to explain a document of a run, give its id"),
        ([".", "3", "--language", "de"], "are for a text file"),
    ],
)
def test_errors_of_explain_are_one_clear_line(glotmill, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    Path("page.txt").write_text("A page.")
    said = glotmill("explain", *arguments)
    assert said.code == 1 and said.err.startswith("error: ") and says in said.err and said.err.count("\n") == 1


def test_an_impossible_setting_is_a_policy_error(run):
    with pytest.raises(PolicyError, match="nothing could pass"):
        pose(run.output, ["small.words.max=10"], None)


def test_the_command_line_loads_neither_beam_nor_pytorch():
    code = "import sys, jobs.cli; print(sorted({'apache_beam', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_no_samples_are_shown_when_none_are_wanted(run, glotmill):
    said = glotmill("what-if", run.output, "--set", "small.digits=off", "--samples", "0")
    assert said.code == 0
    assert "samples" not in said.out
