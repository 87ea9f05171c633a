"""What a command line said, for tests that call it in their own process."""

from typing import NamedTuple


class Said(NamedTuple):
    code: int
    out: str
    err: str
