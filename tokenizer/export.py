"""Writing a trained tokenizer in the formats that other tools load, and its fingerprint."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from curation import storage
from tokenizer.control_tokens import missing_control_tokens
from tokenizer.ids import vocabulary_size
from tokenizer.pretokens import CONTROL_TOKENS, END_OF_TEXT, IM_END, IM_START, build_pipeline, token_characters
from tokenizer.tiktoken_ranks import obstacle, ranks_of, write_ranks

TOKENIZER_FILE = "tokenizer.json"
RANKS_FILE = "tokenizer.tiktoken"
CONFIG_FILE = "tokenizer_config.json"
TRANSFORMERS_FILES = (TOKENIZER_FILE, CONFIG_FILE, "special_tokens_map.json", "vocab.json", "merges.txt")
QWEN2_CLASS, FILE_CLASS = "Qwen2Tokenizer", "PreTrainedTokenizerFast"
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
    "base64 rank" per regular token), ``tokenizer_config.json`` (ChatML) and ``special_tokens_map.json``. Equal
    tokenizers give equal bytes. Ids that do not follow merge order cannot be ranks, as those of some vocabularies that
    were extended or seeded: then there is no ``tokenizer.tiktoken``, and a UserWarning says why.

    Raises ValueError when a control token is missing.
    """
    if missing := missing_control_tokens(tokenizer):
        raise ValueError(f"The tokenizer lacks the control tokens {missing}: make it with all of CONTROL_TOKENS.")
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / TOKENIZER_FILE))
    tokenizer.model.save(str(directory))
    _write_ranks(tokenizer, directory / RANKS_FILE)
    vocabulary = {token_characters(token): id_ for token, id_ in ranks_of(tokenizer).items()}
    _write(directory / "vocab.json", json.dumps(vocabulary, ensure_ascii=False, separators=(",", ":")))
    _write_json(directory / CONFIG_FILE, _transformers_config(tokenizer, model_max_length))
    _write_json(directory / "special_tokens_map.json", _special_tokens())


def copy_beside_model(tokenizer: str, model: str) -> None:
    """Copy the files that ``transformers`` loads from the folder or URL ``tokenizer`` to that of a model of type qwen2.

    Beside such a model AutoTokenizer (transformers 5.24) takes its Qwen2Tokenizer whatever class is configured, and so
    the wrong pattern, unless the configuration has an ``auto_map``. Other classes get one: it names code that is not
    there, which is not looked for unless the caller trusts remote code, and then fails rather than encode otherwise.
    """
    for name in TRANSFORMERS_FILES:
        content = storage.read_bytes(storage.join(tokenizer, name))
        if name == CONFIG_FILE and (config := json.loads(content))["tokenizer_class"] != QWEN2_CLASS:
            config["auto_map"] = {"AutoTokenizer": ["", "load_without_trust_remote_code.Tokenizer"]}
            content = _json(config).encode()
        storage.write_bytes(storage.join(model, name), content)


def fingerprint(directory: str | Path) -> str:
    """The sha256 (hex) of ``tokenizer.json`` in ``directory``: two tokenizers with it in common encode alike."""
    return hashlib.sha256((Path(directory) / TOKENIZER_FILE).read_bytes()).hexdigest()


def tokenizer_info(directory: str | Path) -> dict[str, Any]:
    """What a shard manifest records of the exported tokenizer: fingerprint, vocabulary size, control token ids."""
    tokenizer = Tokenizer.from_file(str(Path(directory) / TOKENIZER_FILE))
    return {
        "fingerprint": fingerprint(directory),
        "vocabulary_size": vocabulary_size(tokenizer),
        "special_tokens": {token: tokenizer.token_to_id(token) for token in CONTROL_TOKENS},
    }


def has_qwen2_pipeline(tokenizer: Tokenizer) -> bool:
    """Whether text is normalised and cut as by Qwen2."""
    theirs, qwen2 = json.loads(tokenizer.to_str()), json.loads(build_pipeline().to_str())
    return all(theirs[part] == qwen2[part] for part in ("normalizer", "pre_tokenizer"))


def _write_ranks(tokenizer: Tokenizer, path: Path) -> None:
    path.unlink(missing_ok=True)
    if reason := obstacle(tokenizer):
        warnings.warn(
            f"{path} is not written: {reason}. tiktoken needs ids in merge order; load tokenizer.json instead.",
            stacklevel=3,
        )
    else:
        path.write_bytes(write_ranks(ranks_of(tokenizer)))


def _special_tokens() -> dict[str, Any]:
    return {
        "additional_special_tokens": [IM_START, IM_END],
        "eos_token": END_OF_TEXT,
        "pad_token": END_OF_TEXT,
    }


def _transformers_config(tokenizer: Tokenizer, model_max_length: int) -> dict[str, Any]:
    added = {
        str(id_): {
            "content": token.content,
            "lstrip": token.lstrip,
            "normalized": token.normalized,
            "rstrip": token.rstrip,
            "single_word": token.single_word,
            "special": token.special,
        }
        for id_, token in tokenizer.get_added_tokens_decoder().items()
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
        "tokenizer_class": _transformers_class(tokenizer),
        "unk_token": None,
    }


def _transformers_class(tokenizer: Tokenizer) -> str:
    """Name of the class that loads the tokenizer as it is.

    transformers 5 builds the pipeline of its Qwen2Tokenizer anew with Qwen2's pattern, whatever tokenizer.json says, so
    that other pipelines need the class that reads the file.
    """
    return QWEN2_CLASS if has_qwen2_pipeline(tokenizer) else FILE_CLASS


def _write_json(path: Path, content: dict[str, Any]) -> None:
    _write(path, _json(content))


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
