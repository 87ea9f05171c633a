"""Bits per byte are exact, belong to the right group and do not depend on the tokenizer."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from trainer.evaluate import evaluate  # noqa: E402
from trainer.model import Qwen2  # noqa: E402

TEXTS = (("en", "web", "abcd"), ("ru", "web", "dcba" * 9), ("en", "code", "aabbccdd" * 3), ("th", "web", "ab"))


def fixed_distribution(probabilities):
    """A model that predicts the same distribution everywhere."""
    logits = torch.tensor(probabilities, dtype=torch.float64).log()
    return lambda tokens, positions, document_ids: logits.expand(*tokens.shape, len(probabilities))


def letters(shards_of):
    """One token per letter a-d; <|endoftext|> is 4."""
    documents = tuple((lang, dom, (*("abcd".index(c) for c in text), 4), len(text)) for lang, dom, text in TEXTS)
    return shards_of(documents, vocab_size=5, end_of_text=4)


def pairs(shards_of):
    """One token per two letters; <|endoftext|> is 16."""

    def encode(text):
        return (*(4 * "abcd".index(text[i]) + "abcd".index(text[i + 1]) for i in range(0, len(text), 2)), 16)

    documents = tuple((language, domain, encode(text), len(text)) for language, domain, text in TEXTS)
    return shards_of(documents, vocab_size=17, end_of_text=16)


@pytest.mark.parametrize("tokenise, vocab_size, letters_per_token", [(letters, 5, 1), (pairs, 17, 2)])
def test_uniform_model_has_the_closed_form_under_two_tokenizers(shards_of, tokenise, vocab_size, letters_per_token):
    """(tokens + one <|endoftext|>) log2 V / bytes, per language and together."""
    uniform = fixed_distribution([1 / vocab_size] * vocab_size)
    result = evaluate(uniform, tokenise(shards_of), sequence_length=8, rows=2)

    def closed_form(texts):
        tokens = sum(len(text) // letters_per_token + 1 for text in texts)
        return tokens * math.log2(vocab_size) / sum(map(len, texts))

    expected = {name: closed_form([t for lang, _, t in TEXTS if lang == name]) for name in ("en", "ru", "th")}
    assert {name: score.bits_per_byte for name, score in result.languages.items()} == pytest.approx(expected, rel=1e-6)
    assert result.micro == pytest.approx(closed_form([text for _, _, text in TEXTS]), rel=1e-6)
    assert result.macro == pytest.approx(sum(expected.values()) / 3, rel=1e-6)
    assert result.total.bytes == 66 and result.total.documents == 4


def test_equal_models_have_equal_bits_per_byte_under_two_tokenizers(shards_of):
    """Letters at 1/8 each and the end at 1/2: as pairs, (1/8)^2 each. 3 bits a letter, 1 bit an end, either way."""
    by_letter = fixed_distribution([1 / 8] * 4 + [1 / 2])
    by_pair = fixed_distribution([1 / 64] * 16 + [1 / 2, 1 / 4])  # 1/4 left over for a token that never occurs
    first = evaluate(by_letter, letters(shards_of), sequence_length=8, rows=2)
    second = evaluate(by_pair, pairs(shards_of), sequence_length=8, rows=2)
    assert first.micro == pytest.approx((3 * 66 + 4) / 66, rel=1e-6)
    assert first.micro == pytest.approx(second.micro, rel=1e-6)
    assert first.macro == pytest.approx(second.macro, rel=1e-6)
    for name in ("web", "code"):
        assert first.domains[name].bits_per_byte == pytest.approx(second.domains[name].bits_per_byte, rel=1e-6)


def test_packing_does_not_change_a_documents_score(corpus, tiny_model):
    """Scored packed with others, or alone in a row: the same nats."""
    model, source = Qwen2(tiny_model).initialize(0), corpus(12, seed=4)

    def nats(documents, rows):
        options = {"sequence_length": 64, "rows": rows}
        return evaluate(model, source, documents=documents, **options).total.nats

    alone = [nats([document], 1) for document in range(12)]
    assert nats(None, 3) == pytest.approx(sum(alone), rel=1e-6)


def test_tokens_and_bytes_are_counted_once_also_when_a_document_is_cut(source_of, tiny_model):
    source = source_of(("en", "web", "x" * 100), ("ru", "web", "да"))
    model = Qwen2(tiny_model).initialize(0)
    result = evaluate(model, source, sequence_length=16, rows=2)
    assert (result.languages["en"].tokens, result.languages["en"].bytes) == (101, 100)
    assert (result.languages["ru"].tokens, result.languages["ru"].bytes) == (5, 4)
    assert result.to_dict()["languages"]["ru"]["documents"] == 1


def test_nothing_to_score_is_an_error(corpus, tiny_model):
    with pytest.raises(ValueError, match="nothing to evaluate"):
        evaluate(Qwen2(tiny_model), corpus(3, seed=1), sequence_length=8, rows=1, documents=[])


def test_documents_without_bytes_are_an_error_not_infinity(source_of, tiny_model):
    source = source_of(("en", "web", "text"), ("ru", "web", ""))
    with pytest.raises(ValueError, match="language ru: 1 documents with 0 UTF-8 bytes"):
        evaluate(Qwen2(tiny_model), source, sequence_length=8, rows=1)


def test_a_loss_is_what_the_model_says_about_the_next_byte(source_of, tiny_model):
    """The score of one short document, computed by hand from the logits."""
    model, source = Qwen2(tiny_model).initialize(5), source_of(("en", "web", "mill"))
    tokens = torch.tensor([[256, *b"mill"]])
    with torch.no_grad():
        logs = model(tokens).double().log_softmax(-1)[0]
    expected = -sum(logs[place, token].item() for place, token in enumerate([*b"mill", 256]))
    result = evaluate(model, source, sequence_length=8, rows=1)
    assert np.isclose(result.total.nats, expected, rtol=1e-6)
