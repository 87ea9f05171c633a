"""Training from texts: vocabulary layout, determinism, and the textbook's merges."""

import json
import os
import subprocess
import sys
import unicodedata
from collections import Counter

from tokenizers import AddedToken, Tokenizer, trainers

from tests.small_tokenizer import small_tokenizer
from tokenizer.pretokens import CONTROL_TOKENS, build_pipeline, byte_characters, pretokens

TRAIN_AND_PRINT_HASH = """
import hashlib, sys
from tests.small_tokenizer import small_tokenizer
texts = sys.stdin.read().split("\\x00")
print(hashlib.sha256(small_tokenizer(texts, 1_000).to_str().encode()).hexdigest())
"""


def _many_texts(sample: dict[str, str]) -> list[str]:
    words = " ".join(sample.values()).split()
    return [" ".join(words[(i * k) % len(words)] for k in range(1, 40)) for i in range(1, 300)]


def test_control_tokens_come_last_and_bytes_first(trained: Tokenizer) -> None:
    assert trained.get_vocab_size() == 700
    assert [trained.token_to_id(token) for token in CONTROL_TOKENS] == [697, 698, 699]
    assert {trained.id_to_token(i) for i in range(256)} == set(byte_characters())
    assert len(json.loads(trained.to_str())["model"]["merges"]) == 700 - 259


def test_merges_are_those_of_textbook_bpe() -> None:
    """An independent BPE (recount all pairs for every merge, ties by smaller ids) finds the same merges."""
    texts = ["low low low low lower lower newest newest newest widest widest", "hug hugs pug pun bun hugs 你好 你好吗"]
    tokenizer = small_tokenizer(texts, 259 + 25)
    words = Counter(tuple(piece.encode()) for text in texts for piece in pretokens(text))
    ids = {bytes([byte]): tokenizer.token_to_id(character) for character, byte in byte_characters().items()}
    split = {word: [bytes([byte]) for byte in word] for word in words}
    for new_id in range(256, 256 + 25):
        pairs: Counter[tuple[bytes, bytes]] = Counter()
        for word, symbols in split.items():
            for pair in zip(symbols, symbols[1:], strict=False):
                pairs[pair] += words[word]
        left, right = min(pairs, key=lambda pair: (-pairs[pair], ids[pair[0]], ids[pair[1]]))
        assert tokenizer.decode([new_id]) == (left + right).decode(errors="replace")
        ids[left + right] = new_id
        for symbols in split.values():
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == (left, right):
                    symbols[i : i + 2] = [left + right]
                i += 1


def test_tokenizer_is_the_one_that_tokenizers_trains(sample: dict[str, str]) -> None:
    """The same tokenizer.json, byte for byte, from text that is not yet in NFC."""
    texts = [unicodedata.normalize("NFD", text) for text in _many_texts(sample)]
    trainer = trainers.BpeTrainer(
        vocab_size=900, min_frequency=2, initial_alphabet=sorted(byte_characters()), show_progress=False
    )
    theirs = build_pipeline()
    theirs.train_from_iterator(texts, trainer)
    theirs.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in CONTROL_TOKENS])
    assert small_tokenizer(texts, 903).to_str() == theirs.to_str()


def test_training_does_not_depend_on_threads(sample: dict[str, str]) -> None:
    """Separate processes, with and without parallelism, train the same tokenizer to the byte."""
    text = "\x00".join(_many_texts(sample))
    hashes = set()
    for parallelism, threads in (("true", "2"), ("true", "5"), ("false", "1")):
        environment = os.environ | {"TOKENIZERS_PARALLELISM": parallelism, "RAYON_NUM_THREADS": threads}
        command = [sys.executable, "-c", TRAIN_AND_PRINT_HASH]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        done = subprocess.run(command, input=text, env=environment, capture_output=True, text=True, check=True)
        hashes.add(done.stdout)
    assert len(hashes) == 1 and len(hashes.pop().strip()) == 64


def test_vocabulary_of_bytes_alone_is_possible() -> None:
    tokenizer = small_tokenizer(["aaaa aaaa"], 259)
    assert tokenizer.encode("aé").ids[0] == tokenizer.token_to_id("a") and len(tokenizer.encode("aé").ids) == 3
