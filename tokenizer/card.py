"""The card of an exported tokenizer, its README: what it was trained on, what it does, and how to load it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tokenizers import Tokenizer

from curation.languages import LANGUAGES
from tokenizer.evaluation.markdown import decimal, name_of, share, table
from tokenizer.export import RANKS_FILE, TOKENIZER_FILE, fingerprint, has_qwen2_pipeline
from tokenizer.ids import vocabulary_size
from tokenizer.pretokens import PATTERNS
from tokenizer.tiktoken_ranks import ranks_of

CARD_FILE = "README.md"


@dataclass(frozen=True)
class Card:
    """What a tokenizer's files do not say of themselves."""

    name: str
    mode: str  # how merges were found, such as hf_exact
    sample_bytes: Mapping[str, int]  # UTF-8 bytes of the training text in each language
    evaluation: Mapping[str, Any]  # see `tokenizer.evaluation.comparison.record`
    licence: str | None = None  # SPDX identifier
    counts: str | None = None  # fingerprint of the counts it was trained from
    remarks: tuple[str, ...] = field(default=())  # paragraphs, as they are


def write_card(directory: str | Path, card: Card) -> None:
    """Write ``README.md`` into ``directory``, where a tokenizer was exported: equal files and facts, equal bytes.

    Raises FileNotFoundError when there is no tokenizer.json.
    """
    directory = Path(directory)
    tokenizer = Tokenizer.from_file(str(directory / TOKENIZER_FILE))
    sections = [
        f"# {card.name}",
        *card.remarks,
        *_facts(tokenizer, directory, card),
        "## Control tokens",
        *_control_tokens(tokenizer),
        "## Trained on, and how well it serves each language",
        *_languages(card),
        "## Load it",
        *_loading(tokenizer, directory),
    ]
    text = f"---\n{_front_matter(card)}---\n\n" + "\n\n".join(sections) + "\n"
    (directory / CARD_FILE).write_text(text, encoding="utf-8")


def _front_matter(card: Card) -> str:
    """The fields that model hubs index."""
    fields: dict[str, Any] = {
        "language": sorted(code for code in card.sample_bytes if code in LANGUAGES),
        "library_name": "transformers",
        "tags": ["tokenizer", "byte-level-bpe"],
    }
    if card.licence is not None:
        fields["license"] = card.licence.lower()
    return yaml.safe_dump(fields, sort_keys=True, allow_unicode=True)


def _facts(tokenizer: Tokenizer, directory: Path, card: Card) -> list[str]:
    pattern = _pattern(tokenizer)
    name = next((name for name, known in PATTERNS.items() if known == pattern), "its own")
    total = sum(card.sample_bytes.values())
    rows = [
        ["kind", "byte-level BPE: any text can be encoded, and decoded to its NFC"],
        ["ids", f"0 to {vocabulary_size(tokenizer) - 1:,}, {len(ranks_of(tokenizer)):,} of them regular tokens"],
        ["normalisation", "NFC"],
        ["pretoken pattern", f"{name}: `{pattern}`"],
        ["training mode", card.mode],
        ["training text", f"{total / 1e6:,.1f} MB in {len(card.sample_bytes)} languages"],
        ["counts", f"`{card.counts}`" if card.counts else "not kept"],
        ["fingerprint", f"`{fingerprint(directory)}` (SHA-256 of {TOKENIZER_FILE})"],
        ["licence", card.licence or "not stated: name one before you publish"],
    ]
    return [table(["", ""], rows).replace("---:", "---")]


def _control_tokens(tokenizer: Tokenizer) -> list[str]:
    added = sorted((id_, token.content) for id_, token in tokenizer.get_added_tokens_decoder().items())
    named = [(id_, token) for id_, token in added if not token.startswith("<|reserved_")]
    said = [table(["id", "token"], [[f"{id_:,}", f"`{token}`"] for id_, token in named]).replace("---:", "---")]
    if reserved := len(added) - len(named):
        said.append(f"{reserved:,} reserved tokens take the ids between the regular and the control tokens.")
    return said


def _languages(card: Card) -> list[str]:
    rows = {row["language"]: row for row in card.evaluation["languages"]}
    parallel = card.evaluation.get("parallel", {})
    head = ["language", "training MB", "bytes per token", "fertility", "words cut", "premium"]
    nothing: dict[str, Any] = {}
    written = [
        [
            name_of(code), f"{card.sample_bytes.get(code, 0) / 1e6:,.2f}",
            decimal(rows.get(code, nothing).get("bytes_per_token")), decimal(rows.get(code, nothing).get("fertility")),
            share(rows.get(code, nothing).get("continued_words")), decimal(parallel.get("premium", nothing).get(code)),
        ]
        for code in sorted({*card.sample_bytes, *rows}, key=lambda code: (-card.sample_bytes.get(code, 0), code))
    ]  # fmt: skip
    read = (
        "Fertility: pieces that a word is cut into; in scripts without spaces, a character or syllable. Premium: "
        "tokens for the same content, over those of English"
    )
    gini = f"; its Gini coefficient over the languages is {parallel['gini']:.3f}" if parallel else " (not measured)"
    return [table(head, written), f"{read}{gini}."]


def _loading(tokenizer: Tokenizer, directory: Path) -> list[str]:
    loaded = "Qwen2Tokenizer" if has_qwen2_pipeline(tokenizer) else "PreTrainedTokenizerFast"
    code = [
        "from tokenizers import Tokenizer",
        f'Tokenizer.from_file("{TOKENIZER_FILE}").encode("text").ids',
        "",
        f"from transformers import AutoTokenizer  # a {loaded}",
        'AutoTokenizer.from_pretrained(".")("text")["input_ids"]',
        "",
        "from tokenizer.encoding import Encoder  # Glotmill: columns of text; control tokens in them stay text",
        f'Encoder("{TOKENIZER_FILE}").encode(pyarrow.array(["text"], pyarrow.large_string()))',
    ]
    if (directory / RANKS_FILE).exists():
        code += [
            "",
            "import json, unicodedata, tiktoken, tiktoken.load  # which has no NFC of its own",
            f'cut = json.load(open("{TOKENIZER_FILE}"))["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]',
            f'ranks = tiktoken.load.load_tiktoken_bpe("{RANKS_FILE}")',
            'encoding = tiktoken.Encoding("this", pat_str=cut, mergeable_ranks=ranks, special_tokens={})',
            'encoding.encode_ordinary(unicodedata.normalize("NFC", "text"))',
        ]
    return ["```python\n" + "\n".join(code) + "\n```"]


def _pattern(tokenizer: Tokenizer) -> str:
    """The pattern that cuts text into pretokens, where one does, as in all that Glotmill trains."""
    cutter = json.loads(tokenizer.to_str())["pre_tokenizer"] or {}
    steps = cutter.get("pretokenizers", [cutter])
    return next((step["pattern"]["Regex"] for step in steps if step.get("type") == "Split"), "none")
