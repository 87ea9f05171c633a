"""Quality classifiers: text as fastText reads it, the split, figures, calibration, training and scoring."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.readers.raw import RAW
from curation.text import unicode_tables
from curation.text.normalize import normalize
from curation.text.scan import Scanner
from curation.text.unicode_tables import OPENS
from curation.text.unit_text import separate_units
from filters import quality_figures, quality_model, quality_sets
from filters.quality_model import LABEL, Calibration, Parameters, QualityError, QualityModel
from filters.quality_sets import CALIBRATE, TEST, TRAIN, Preparer

SCANNER = Scanner()
WORDS = {
    "en": ("theorem history river science because island", "click subscribe cookie buy cheap login", " "),
    "zh": ("历史科学河流因为岛屿山水文学", "点击订阅购买便宜登录广告注册优惠", ""),
    "th": ("ประวัติศาสตร์ วิทยาศาสตร์ แม่น้ำ เกาะ ภูเขา", "คลิก สมัคร ซื้อ ราคาถูก โฆษณา ลงทะเบียน", ""),
}
SMALL = Parameters(dimension=8, buckets=2000, minimum_count=1)


def document(language: str, positive: bool, number: int) -> str:
    """Words of one class with some of the other among them."""
    generator = random.Random(f"{language}{positive}{number}")
    good, bad, space = WORDS[language]
    banks = [list(bank) if language == "zh" else bank.split() for bank in ((good, bad) if positive else (bad, good))]
    return space.join(generator.choice(banks[generator.random() < 0.2]) for _ in range(30))


def prepared(rows: list[tuple[str | None, str, str | None, bool]]) -> pl.DataFrame:
    """Rows of (id, text, language, positive) as documents."""
    preparer, frames = Preparer(0), [pl.DataFrame(schema=quality_sets.DOCUMENTS)]
    for positive in (True, False):
        chosen = [row for row in rows if row[3] == positive]
        raw = [{"id": id_, "text": text.encode()} for id_, text, _, _ in chosen]
        languages = pa.array([language for _, _, language, _ in chosen], pa.string())
        frames.append(preparer.prepare(pa.RecordBatch.from_pylist(raw, schema=RAW), languages, positive))
    return pl.concat(frames)


@pytest.fixture(scope="module")
def documents() -> pl.DataFrame:
    rows = [
        (None, document(language, positive, number), language, positive)
        for language in WORDS
        for positive in (True, False)
        for number in range(300)
    ]
    return quality_sets.screen(prepared(rows)).documents


@pytest.fixture(scope="module")
def trained(documents: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quality")
    quality_model.write_training_file(quality_sets.split(documents, 0.4)[TRAIN], folder / "train.txt")
    quality_model.train(folder / "train.txt", SMALL, folder / "model.bin")
    return folder / "model.bin"


def test_units_become_words_in_every_script():
    texts = [
        "Hello, World! don't\n\n ÉTÉ",
        "我们去公园。OK",
        "ภาษาไทย",
        "ひらがなカタカナ漢字",
        "",
        " \n",
        "__label__x </s>",
    ]
    assert separate_units(pa.array(texts), SCANNER).to_pylist() == [
        "hello , world ! don't été", "我 们 去 公 园 。 ok", "ภา ษา ไท ย", "ひらがな カタカナ 漢 字", "", "",
        "__ label __ x </ s >",
    ]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=60), min_size=1, max_size=4))
def test_the_words_are_the_units_of_the_scan_and_no_other_character_is_lost(texts: list[str]):
    tables = unicode_tables.load()
    text = normalize(pa.array(texts, pa.large_string())).text
    lines = separate_units(text, SCANNER).to_pylist()
    scan = SCANNER.scan(text)
    for row, (line, whole) in enumerate(zip(lines, text.to_pylist(), strict=True)):
        words = line.split(" ") if line else []
        units = [word for word in words if int(tables.properties[ord(word[0])]) & 15 in OPENS]
        first, end = scan.unit_bounds[row : row + 2]
        assert [len(word) for word in units] == scan.unit_length[first:end].tolist()
        spaces = [c for c in whole if int(tables.properties[ord(c)]) & 15 == unicode_tables.SPACE]
        kept = [chr(int(tables.lower[ord(c)])) for c in whole if c not in spaces]
        assert "".join(words) == "".join(kept)


def test_texts_in_both_sets_are_dropped_and_copies_are_kept_once():
    good, bad = ["Only good text", "only  good\ntext", "Shared text"], ["shared text", "only bad text", " \n "]
    rows = [(text, text, "en", text in good) for text in (*good, *bad)]
    screened = quality_sets.screen(prepared(rows))
    assert screened.shared == {"positive": 1, "negative": 1}
    assert screened.duplicates == {"positive": 1, "negative": 0}
    assert set(screened.documents["line"]) == {"only good text", "only bad text"}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.booleans()), min_size=1, max_size=40), st.randoms()
)
def test_no_text_lies_on_two_sides_and_order_decides_nothing(
    drawn: list[tuple[int, int, bool]], generator: random.Random
):
    rows = [(f"id {i}", f"text number {t}", "en", positive) for i, t, positive in drawn]
    sides = quality_sets.split(quality_sets.screen(prepared(rows)).documents, 0.5)
    lines = [set(side["line"]) for side in sides.values()]
    assert sum(map(len, lines)) == len(set.union(*lines)) == sum(side.height for side in sides.values())
    generator.shuffle(rows)
    again = quality_sets.split(quality_sets.screen(prepared(rows)).documents, 0.5)
    assert all(again[name].equals(side) for name, side in sides.items())


def test_the_side_follows_from_the_id_and_has_the_share_asked_for():
    rows = [(str(n), f"text {n}", "en", n % 2 == 0) for n in range(3000)]
    sides = quality_sets.split(quality_sets.screen(prepared(rows)).documents, 0.2)
    assert [sides[name].height / 3000 for name in (CALIBRATE, TEST)] == pytest.approx([0.1, 0.1], abs=0.02)
    changed = [(id_, text + " changed", language, positive) for id_, text, language, positive in rows]
    again = quality_sets.split(quality_sets.screen(prepared(changed)).documents, 0.2)
    assert set(again[TEST]["line"]) == {line + " changed" for line in sides[TEST]["line"]}


def test_missing_languages_are_identified_and_given_ones_kept():
    text = "这是一个关于历史和科学的长篇文章，介绍了河流与岛屿的形成。"
    found = prepared([("1", text, None, True), ("2", text + "另一个", "xx", True)])
    assert found["language"].to_list() == ["zh", "xx"]


def test_average_precision_and_auc_of_a_worked_example():
    score, positive = np.array([0.9, 0.8, 0.8, 0.3, 0.1]), np.array([True, False, True, True, False])
    # Steps: 1 of 1, then 2 of 3 (a tie), then 3 of 4; pairs: 5 of 6 with one tie counted half and one lost.
    assert quality_figures.average_precision(score, positive) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert quality_figures.roc_auc(score, positive) == pytest.approx((2 + 1.5 + 1) / 6)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auc_is_the_share_of_ordered_pairs(drawn: list[tuple[int, bool]]):
    ones, zeros = ([s for s, positive in drawn if positive == kind] for kind in (True, False))
    if ones and zeros:
        score, positive = np.array([s for s, _ in drawn], float), np.array([p for _, p in drawn])
        pairs = [(a > b) + 0.5 * (a == b) for a in ones for b in zeros]
        assert quality_figures.roc_auc(score, positive) == pytest.approx(sum(pairs) / len(pairs))


def test_precision_and_recall_at_thresholds_and_one_class_alone():
    score, positive = np.array([0.95, 0.55, 0.45, 0.05]), np.array([True, False, True, False])
    rows = {row["threshold"]: row for row in quality_figures.at_thresholds(score, positive)}
    assert rows[0.5] == {"threshold": 0.5, "precision": 0.5, "recall": 0.5, "kept": 0.5}
    assert rows[0.1]["recall"] == 1 and rows[0.1]["precision"] == pytest.approx(2 / 3, abs=1e-6)
    alone = quality_figures.figures(score, score, np.ones(4, bool))
    assert (alone["positive"], alone["negative"], alone["roc_auc"], alone["thresholds"]) == (4, 0, None, None)


def _miscalibrated(generator: np.random.Generator, n: int, slope: float) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities whose logits are ``slope`` times too large and 1 too high, and the classes they belong to."""
    true = generator.normal(0, 2, n)
    positive = generator.random(n) < quality_figures.sigmoid(true)
    return quality_figures.sigmoid(slope * true + 1), positive


def test_calibration_undoes_a_known_distortion_and_reduces_the_error_on_other_documents():
    generator = np.random.default_rng(7)
    probability, positive = _miscalibrated(generator, 4000, 4.0)
    line = quality_figures.fit_platt(probability, positive)
    assert line.slope == pytest.approx(0.25, abs=0.03) and line.intercept == pytest.approx(-0.25, abs=0.15)
    other, truth = _miscalibrated(generator, 4000, 4.0)
    before = quality_figures.calibration_error(other, truth)
    after = quality_figures.calibration_error(line.apply(other), truth)
    assert before > 0.15 and after < 0.04
    assert (np.diff(line.apply(np.sort(other))) >= 0).all(), "the order stays"


def test_calibration_takes_both_classes_as_equally_many():
    generator = np.random.default_rng(8)
    probability, positive = _miscalibrated(generator, 20_000, 1.0)
    few = ~positive | (generator.random(20_000) < 0.05)
    all_of_them = quality_figures.fit_platt(probability, positive)
    lopsided = quality_figures.fit_platt(probability[few], positive[few])
    assert lopsided == pytest.approx(all_of_them, abs=0.15)


def test_a_separable_set_has_a_finite_line():
    line = quality_figures.fit_platt(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True]))
    assert np.isfinite(line).all() and 0 < line.slope < 10


def test_languages_with_few_documents_take_the_pooled_line():
    generator = np.random.default_rng(9)
    probability, positive = _miscalibrated(generator, 500, 3.0)
    names = ["en"] * 450 + ["lo"] * 50
    frame = pl.DataFrame({"positive": positive, "language": names})
    calibration = quality_model.calibrate(frame, probability)
    assert set(calibration.languages) == {"en"}
    score = calibration.apply(np.array([0.7, 0.7, 0.7]), ["en", "lo", "never seen"])
    assert score[1] == score[2] == calibration.pooled.apply(np.array([0.7]))[0] != score[0]
    assert Calibration.from_json(calibration.to_json()) == calibration


def test_a_model_no_better_than_chance_is_refused():
    frame = pl.DataFrame({"positive": [True, False] * 50, "language": ["en"] * 100})
    with pytest.raises(QualityError, match="no better than chance"):
        quality_model.calibrate(frame, np.array([0.2, 0.8] * 50))


def test_training_gives_the_same_bytes_whatever_memory_held_before(documents, trained: Path, tmp_path: Path):
    quality_model.write_training_file(quality_sets.split(documents, 0.4)[TRAIN], tmp_path / "train.txt")
    expected = hashlib.sha256(trained.read_bytes()).hexdigest()
    for _ in range(3):
        littered = [np.full(size, np.nan, np.float32) for size in range(100, 100_000, 331)]
        del littered
        quality_model.train(tmp_path / "train.txt", SMALL, tmp_path / "model.bin")
        assert hashlib.sha256((tmp_path / "model.bin").read_bytes()).hexdigest() == expected


@pytest.mark.parametrize("language", list(WORDS))
def test_held_out_documents_are_told_apart_also_without_spaces(documents, trained: Path, language: str):
    test = quality_sets.split(documents, 0.4)[TEST].filter(pl.col("language") == language)
    probability = QualityModel(str(trained), LABEL[True], None).probabilities(test["line"].to_list())
    assert test.height > 50
    assert quality_figures.roc_auc(probability, test["positive"].to_numpy()) > 0.97


def test_scores_of_a_batch_are_calibrated_by_language_and_null_for_blank_text(trained: Path):
    calibration = Calibration(quality_figures.Platt(1.0, 0.0), {"zh": quality_figures.Platt(1.0, 2.0)})
    model = QualityModel(str(trained), LABEL[True], calibration)
    text = pa.array([document("zh", True, 999)] * 2 + [" \n", document("zh", False, 999)], pa.large_string())
    score = model.score(text, pa.array(["zh", "en", "en", "en"]))
    assert score.type == pa.float32() and score.null_count == 1 and not score[2].is_valid
    values = score.to_pylist()
    assert values[0] > values[1] > 0.5 > values[3]
    assert len(model.score(text.slice(0, 0), pa.array([], pa.string()))) == 0


def test_a_fasttext_that_can_only_predict_gives_the_same_scores(documents, trained: Path):
    lines = documents["line"].to_list()[:20]
    model = QualityModel(str(trained), LABEL[True], None)
    expected = model.probabilities(lines)
    model._complete = False
    np.testing.assert_array_equal(model.probabilities(lines), expected)


def test_a_plain_model_reads_text_as_it_is(tmp_path: Path):
    lines = [f"__label__{'hq' if n % 2 else 'cc'} {'Good Text.' if n % 2 else 'bad text'}\n" for n in range(100)]
    (tmp_path / "train.txt").write_text("".join(lines))
    quality_model.train(tmp_path / "train.txt", SMALL, tmp_path / "model.bin")
    model = quality_model.open_model(str(tmp_path / "model.bin"), "__label__hq")
    score = model.score(pa.array(["Good\nText.", "bad text", "\n"]), pa.array(["en"] * 3)).to_pylist()
    assert score[0] > 0.5 > score[1] and score[2] is None
    with pytest.raises(QualityError, match="no label __label__x; there are: .*__label__hq"):
        quality_model.open_model(str(tmp_path / "model.bin"), "__label__x")
    with pytest.raises(QualityError, match="say which label"):
        quality_model.open_model(str(tmp_path / "model.bin"))


def test_what_is_no_model_is_a_clear_error(tmp_path: Path):
    (tmp_path / "model.bin").write_bytes(b"no model at all")
    with pytest.raises(QualityError, match="not a fastText model"):
        quality_model.open_model(str(tmp_path / "model.bin"), "__label__hq")
    with pytest.raises(FileNotFoundError, match="no folder of `glotmill quality train`"):
        quality_model.open_model(str(tmp_path))
    (tmp_path / "train.txt").write_text("")
    with pytest.raises(QualityError, match="fastText could not train"):
        quality_model.train(tmp_path / "train.txt", SMALL, tmp_path / "new.bin")


def test_a_fasttext_that_can_only_predict_is_told_apart(monkeypatch, tmp_path: Path):
    import fasttext_pybind

    monkeypatch.delattr(fasttext_pybind, "train")
    with pytest.raises(QualityError, match="fasttext-predict.*pip install --force-reinstall --no-deps 'fasttext"):
        quality_model.train(tmp_path / "train.txt", SMALL, tmp_path / "model.bin")
