"""Specialists: training finds the words that differ, the kernel computes the formula, files keep everything."""

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curation.langid import specialist
from curation.langid.specialist import Specialist, Weights
from curation.langid.specialist_training import Training, WordLists, calibrate, train
from curation.text.scan import Scanner

SHARED = ["rumah", "jalan", "besar", "kecil", "makan", "minum", "orang", "hari", "ini", "itu", "dan", "yang", "untuk"]
OWN = {"aa": ["kerana", "boleh", "wang", "polis"], "bb": ["karena", "bisa", "uang", "polisi"]}


def sentences(language: str, count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [" ".join([*draw.sample(SHARED, 5), draw.choice(OWN[language])]).capitalize() + "." for _ in range(count)]


@pytest.fixture(scope="module")
def fitted() -> Weights:
    texts = sentences("aa", 300, 1) + sentences("bb", 150, 2)
    return train(pa.array(texts, pa.large_string()), ["aa"] * 300 + ["bb"] * 150)


def probabilities(fitted: Weights, texts: list[str]) -> np.ndarray:
    scan = Scanner().scan(pa.array(texts, pa.large_string()))
    return Specialist(fitted).probabilities(scan.unit_hash, scan.unit_bounds, np.arange(len(texts)))


def test_words_of_one_language_decide(fitted: Weights) -> None:
    """Also where they are one of six, in text that was not trained on."""
    assert fitted.labels == ("aa", "bb") and set(OWN["aa"] + OWN["bb"]) <= set(fitted.units)
    for number, language in enumerate(fitted.labels):
        assert (probabilities(fitted, sentences(language, 50, 3)).argmax(axis=1) == number).all()


def test_probabilities_are_softmax_of_summed_weights(fitted: Weights) -> None:
    text = "Orang itu boleh makan, dan polisi bisa. XYZ"
    units = text.lower().replace(",", "").replace(".", "").split()
    rows = [fitted.units.index(unit) for unit in units if unit in fitted.units]
    score = fitted.weights[rows].astype(float).sum(axis=0) * fitted.step / np.sqrt(len(units)) + fitted.bias
    expected = np.exp(score) / np.exp(score).sum()
    assert probabilities(fitted, [text, "xyz 123", ""]).tolist() == [
        pytest.approx(expected.tolist(), abs=1e-5), [0, 0], [0, 0],
    ]  # fmt: skip


def test_training_again_gives_the_same_bytes(fitted: Weights, tmp_path: Path) -> None:
    texts = sentences("aa", 300, 1) + sentences("bb", 150, 2)
    again = train(pa.array(texts, pa.large_string()), ["aa"] * 300 + ["bb"] * 150)
    for name, weights in (("one", fitted), ("two", again)):
        specialist.save(tmp_path / f"{name}.npz", weights)
    kept = specialist.load(tmp_path / "one.npz")
    assert kept.units == again.units and kept.weights.tobytes() == again.weights.tobytes()
    assert kept.bias.tobytes() == again.bias.tobytes() and kept.step == again.step and kept.labels == again.labels


def test_balancing_evens_out_the_languages(fitted: Weights) -> None:
    """A specialist that leans to one language is turned back by texts of both."""
    leaning = fitted._replace(bias=fitted.bias + np.array([6, -6], np.float32))
    texts, target = sentences("aa", 80, 5) + sentences("bb", 40, 6), np.array([0] * 80 + [1] * 40)
    assert (probabilities(leaning, texts).argmax(axis=1) == 0).mean() > 0.7
    balanced = calibrate(leaning, probabilities(leaning, texts), target)
    assert (probabilities(balanced, texts).argmax(axis=1) == target).all()


def test_word_lists_say_that_a_word_is_of_both_languages() -> None:
    """In the text, "polisi" is of one language; the lists know better, and keep the words that differ apart."""
    own = [(word, language) for language, words in OWN.items() for word in words[:3]]
    listed = own + [(word, language) for language in OWN for word in [*SHARED, "polisi"]]
    lists = WordLists([word for word, _ in listed], [language for _, language in listed])
    texts, labels = sentences("aa", 300, 1) + sentences("bb", 300, 2), ["aa"] * 300 + ["bb"] * 300
    sources = ["one", "two"] * 300
    fitted = train(pa.array(texts, pa.large_string()), labels, Training(), sources, lists)
    weight = {unit: int(row[1]) - int(row[0]) for unit, row in zip(fitted.units, fitted.weights, strict=True)}
    assert 0 < weight["polisi"] < 0.75 * weight["karena"] and weight["kerana"] < -weight["polisi"]
    assert fitted.bias[0] == fitted.bias[1]
    for number, language in enumerate(fitted.labels):
        assert (probabilities(fitted, sentences(language, 50, 3)).argmax(axis=1) == number).all()


def test_a_source_keeps_its_topic_to_itself() -> None:
    """A word of one source's topic, in one language there, weighs less than one that sources agree on."""
    rows = [(f"{word} {topic} rumah", language, source)
            for language, word in (("aa", "kerana"), ("bb", "karena"))
            for source, topic in (("one", f"topik{language}"), ("two", "lain")) for _ in range(100)]  # fmt: skip
    texts, labels, sources = ([row[column] for row in rows] for column in range(3))
    lists = WordLists(["rumah", "rumah"], ["aa", "bb"])
    fitted = train(pa.array(texts, pa.large_string()), labels, Training(), sources, lists)
    weight = {unit: int(row[0]) - int(row[1]) for unit, row in zip(fitted.units, fitted.weights, strict=True)}
    assert 0 < weight["topikaa"] < weight["kerana"] and weight.get("rumah", 0) == 0


def test_word_lists_of_other_languages_are_refused() -> None:
    text = pa.array(["a b", "c d"] * 2, pa.large_string())
    with pytest.raises(ValueError, match="tell two of aa, bb apart; these are of aa, cc"):
        train(text, ["aa", "bb"] * 2, lists=WordLists(["a", "b"], ["aa", "cc"]))


def test_what_cannot_be_trained_on_is_said() -> None:
    with pytest.raises(ValueError, match="the training text has 1: aa"):
        train(pa.array(["a b"], pa.large_string()), ["aa"])
    with pytest.raises(ValueError, match="no unit occurs 9 times"):
        train(pa.array(["eins", "zwei"], pa.large_string()), ["aa", "bb"], Training(least_count=9))


def test_another_file_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match="other.npz is no specialist"):
        specialist.load(tmp_path / "other.npz")


def test_shipped_specialists_are_small_and_load() -> None:
    assert {label for one in specialist.shipped() for label in one.labels} >= {"ms", "id", "tl", "ceb"}
    assert sum(path.stat().st_size for path in specialist.FOLDER.glob("*.npz")) < 1_000_000
