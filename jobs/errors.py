"""The error of a job, on its own so that commands which run no pipeline need not load Beam."""

from __future__ import annotations


class JobError(RuntimeError):
    """A job that cannot go on, or whose result may not pass as good; the message says what to do."""
