"""Writing a trained tokenizer in the formats that other tools load, and its fingerprint."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from tokenizer.pretokens import CONTROL_TOKENS, END_OF_TEXT, IM_END, IM_START, token_bytes

TOKENIZER_FILE = "tokenizer.json"
QWEN2_CONTEXT = 32_768  # tokens; Qwen2 technical report, arXiv:2407.10671, section 3.2

# ChatML: every message is <|im_start|>role, a line end, the content, <|im_end|>, a line end.
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    f"{{{{ '{IM_START}' + message.role + '\\n' + message.content + '{IM_END}\\n' }}}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}"
    f"{{{{ '{IM_START}assistant\\n' }}}}"
    "{%- endif -%}"
)


def export(tokenizer: Tokenizer, directory: str | Path, *, model_max_length: int = QWEN2_CONTEXT) -> None:
    """Write ``tokenizer`` into ``directory`` (made if absent) for ``tokenizers``, ``transformers`` and ``tiktoken``.

    Files: ``tokenizer.json``, ``vocab.json`` and ``merges.txt`` (regular tokens), ``tokenizer.tiktoken`` (a line
    "base64 rank" per regular token), ``tokenizer_config.json`` (Qwen2Tokenizer, ChatML) and
    ``special_tokens_map.json``. Equal tokenizers give equal bytes.
    Raises ValueError when a control token is missing or when ids do not follow merge order, as tiktoken ranks must.
    """
    _check(tokenizer)
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / TOKENIZER_FILE))
    tokenizer.model.save(str(directory))
    (directory / "tokenizer.tiktoken").write_bytes(_tiktoken_ranks(tokenizer))
    _write_json(directory / "tokenizer_config.json", _transformers_config(tokenizer, model_max_length))
    _write_json(directory / "special_tokens_map.json", _special_tokens())


def fingerprint(directory: str | Path) -> str:
    """The sha256 (hex) of ``tokenizer.json`` in ``directory``: two tokenizers with it in common encode alike."""
    return hashlib.sha256((Path(directory) / TOKENIZER_FILE).read_bytes()).hexdigest()


def tokenizer_info(directory: str | Path) -> dict[str, Any]:
    """What a shard manifest records of the exported tokenizer: fingerprint, vocabulary size, control token ids."""
    tokenizer = Tokenizer.from_file(str(Path(directory) / TOKENIZER_FILE))
    return {
        "fingerprint": fingerprint(directory),
        "vocabulary_size": tokenizer.get_vocab_size(),
        "special_tokens": {token: tokenizer.token_to_id(token) for token in CONTROL_TOKENS},
    }


def _check(tokenizer: Tokenizer) -> None:
    missing = [token for token in CONTROL_TOKENS if tokenizer.token_to_id(token) is None]
    if missing:
        raise ValueError(f"The tokenizer lacks the control tokens {missing}: train it with train_bpe.")
    model = json.loads(tokenizer.to_str())["model"]
    for rank, pair in enumerate(model["merges"]):
        left, right = pair if isinstance(pair, list) else pair.split(" ")
        if model["vocab"].get(left + right) != 256 + rank:
            raise ValueError(
                f"Merge {rank} ({left!r} + {right!r}) has id {model['vocab'].get(left + right)}, not {256 + rank}: "
                "tiktoken needs ids in merge order after the 256 bytes."
            )


def _regular_tokens(tokenizer: Tokenizer) -> list[str]:
    """The regular tokens in id order."""
    vocabulary = tokenizer.get_vocab(with_added_tokens=False)
    return sorted(vocabulary, key=vocabulary.__getitem__)


def _tiktoken_ranks(tokenizer: Tokenizer) -> bytes:
    lines = (
        base64.b64encode(token_bytes(token)) + b" " + str(rank).encode() + b"\n"
        for rank, token in enumerate(_regular_tokens(tokenizer))
    )
    return b"".join(lines)


def _special_tokens() -> dict[str, Any]:
    return {
        "additional_special_tokens": [IM_START, IM_END],
        "eos_token": END_OF_TEXT,
        "pad_token": END_OF_TEXT,
    }


def _transformers_config(tokenizer: Tokenizer, model_max_length: int) -> dict[str, Any]:
    added = {
        str(tokenizer.token_to_id(token)): {
            "content": token,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": True,
        }
        for token in CONTROL_TOKENS
    }
    return _special_tokens() | {
        "add_prefix_space": False,
        "added_tokens_decoder": added,
        "bos_token": None,
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "errors": "replace",
        "model_max_length": model_max_length,
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
