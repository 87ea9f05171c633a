"""Languages of lines and documents: right for the declaration in all 29, for mixed pages, code and short lines."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curation.langid import labels
from curation.langid.identifier import Identified, Identifier, certain, names
from curation.languages import CODES
from curation.text import scripts
from curation.text.normalize import normalize
from curation.text.scan import Scanner
from tests.curation.langid.test_classifier import train

DEMO = Path(__file__).parents[3] / "recipes" / "demo"
Identify = Callable[[list[str]], Identified]


@pytest.fixture(scope="module")
def identify() -> Identify:
    identifier, scanner = Identifier(), Scanner()

    def identify(texts: list[str]) -> Identified:
        text = normalize(pa.array(texts, pa.large_string())).text
        return identifier.identify(text, scanner.scan(text))

    return identify


@pytest.fixture(scope="module")
def articles() -> list[dict]:
    return [json.loads(line) for line in (DEMO / "udhr_parallel.jsonl").open(encoding="utf-8")]


def test_articles_of_the_declaration(identify: Identify, articles: list[dict]) -> None:
    """All languages, Malay and Indonesian among them; the declaration was not trained on."""
    found = identify([row["text"] for row in articles]).language.to_pylist()
    pairs = [(row["language"], label) for row, label in zip(articles, found, strict=True)]
    share = {code: np.mean([label == code for expected, label in pairs if expected == code]) for code in CODES}
    assert {code for code in CODES if share[code] < 0.9} <= {"id"} and share["id"] >= 0.6


def test_whole_declarations(identify: Identify, articles: list[dict]) -> None:
    """As documents every one of the 29 is right."""
    texts = ["\n".join(row["text"] for row in articles if row["language"] == code) for code in CODES]
    found = identify(texts)
    assert found.language.to_pylist() == list(CODES)
    assert (found.score > 0.6).all()


def test_lines_have_languages_of_their_own(identify: Identify) -> None:
    page = (
        "La commission se réunira de nouveau jeudi pour discuter du budget.\n"
        "By continuing to use this site you agree to our use of cookies.\n"
        "x = np.zeros(3); y[i] += f(x_1)\n"
        "12.5 | 13.7 | 99\n"
        "Этот комитет соберётся снова в четверг.\n"
        "東京都は新しい図書館を建てる計画を発表した。"
    )
    found = identify([page])
    assert names(certain(found.lines)).to_pylist() == ["fr", "en", "und", "und", "ru", "ja"]


def test_program_code_and_tables_do_not_decide(identify: Identify) -> None:
    """A Hebrew page with much more code than Hebrew is Hebrew."""
    code = "\n".join(f"const value_{i} = request.get('/api/items/{i}').then((r) => r.json());" for i in range(30))
    found = identify([f"כך קוראים לשרת מתוך הדפדפן ומקבלים תשובה.\n{code}\nהתשובה היא רשימה של פריטים.", code])
    assert found.language[0].as_py() == "he" and found.score[0] > 0.9
    assert found.language[1].as_py() not in CODES or found.score[1] < 0.5


def test_of_two_languages_the_one_that_frames_the_page_is_its_own(identify: Identify) -> None:
    """A German page that quotes more English than it has German, up to twice; headings of one word decide nothing."""
    german = ["Diese Übung ist für Anfänger.", "Schreiben Sie die Lösung in Ihr Heft."]
    english = ["The library opens at nine.", "We went to the market together.", "My sister lives in the city."]
    texts = ["\n".join([german[0], *english, german[1]]), "\n".join([*german, *english]),
             "\n".join(["Home", german[0], *english, german[1], "Top"]), "\n".join([english[0], *german, english[1]]),
             "\n".join([german[0], *english, *english, german[1]])]  # fmt: skip
    assert identify(texts).language.to_pylist() == ["de", "en", "de", "en", "en"]


@pytest.mark.parametrize("text", ["", " \n\t", "12 34", "🙂🙂 🎉", "---\n***", "ab"])
def test_text_without_words_is_undetermined(identify: Identify, text: str) -> None:
    found = identify([text, "Ein deutscher Satz über das Wetter am Wochenende."])
    assert found.language.to_pylist() == ["und", "de"]
    assert found.score[0] == 0


def test_script_of_documents(identify: Identify) -> None:
    texts = [
        "国家图书馆开放时间",
        "國家圖書館開放時間",
        "人口",
        "これはペンです",
        "한국어 문장",
        "Текст",
        "text",
        "١٢",
        "नमस्ते",
    ]
    expected = ["Hans", "Hant", "Hani", "Jpan", "Kore", "Cyrl", "Latn", "Zyyy", "Deva"]
    assert identify(texts).script.to_pylist() == expected


def test_results_do_not_depend_on_the_batch(identify: Identify, articles: list[dict]) -> None:
    """Equal lines are read once; alone or together they get the same."""
    texts = [row["text"] for row in articles[::40]] * 2 + ["one\ntwo three\none"]
    together = identify(texts)
    alone = [identify([text]) for text in texts]
    assert together.language.to_pylist() == [one.language[0].as_py() for one in alone]
    assert together.score.tolist() == [one.score[0] for one in alone]
    assert (together.lines.label == np.concatenate([one.lines.label for one in alone])).all()
    assert (together.lines.probability == np.concatenate([one.lines.probability for one in alone])).all()


def test_every_language_has_one_script_of_labels() -> None:
    own = [code for script in range(len(scripts.SCRIPTS)) for code in labels.of_script(script) if code in CODES]
    assert set(own) == set(CODES) and sorted(set(own)) == sorted(set(CODES))
    assert labels.LABELS[: len(CODES)] == CODES and len(set(labels.LABELS)) == len(labels.LABELS)


def test_a_model_without_the_labels_is_refused(tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("__label__spam buy now\n__label__ham see you\n" * 20)
    train(lines, tmp_path / "model.bin", "softmax", 1, 2, 4, 20, None)
    with pytest.raises(ValueError, match="none of the labels in question"):
        Identifier(str(tmp_path / "model.bin"))
