"""What every refused policy must say."""

from pathlib import Path

import pytest

from filters.policy import PolicyError, load_policy


def assert_refused(folder: Path, text: str, words: list[str]) -> None:
    """A policy with this text is refused, and the error names the file and holds the words."""
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError) as error:
        load_policy(str(path))
    for word in (str(path), *words):
        assert word in str(error.value), error.value
