"""How well a tokenizer serves each language: compression, fertility, premium over English, what its vocabulary is for.

Any tokenizer can be measured (`subject`). Text is encoded once (`usage`); the figures are formulas over the counts
(`figures`, `parallel`, `vocabulary`), but for the few texts made up to show habits (`behaviour`). `comparison` puts
several tokenizers side by side.
"""

from __future__ import annotations

from tokenizer.evaluation.comparison import Group, compare, evaluate
from tokenizer.evaluation.figures import gini
from tokenizer.evaluation.parallel import premium, read_parallel
from tokenizer.evaluation.subject import Subject, load, subject_of

__all__ = ["Group", "Subject", "compare", "evaluate", "gini", "load", "premium", "read_parallel", "subject_of"]
