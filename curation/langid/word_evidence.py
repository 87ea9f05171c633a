"""Which of two near languages a word speaks for: what sources of text and word lists say of it, taken together.

A source is text on one topic or of one kind, such as the messages of programs or a book, and says as much of its topic
as of its languages. So the sources are combined as studies are, by a random-effects model: what they disagree on counts
little. Word lists of both languages are one study more, which knows words that both have though one uses them rarely.
"""

from __future__ import annotations

import numpy as np

SMOOTHING = 0.5
"""Added to each count."""
TOPIC = 1.0
"""Variance of a word's log ratio from one source to another, added to that of its counts: words come in bursts."""
LISTED, LISTED_VARIANCE = 4.0, 0.5
"""Log ratio of a word that the list of one language alone has, 0 if both have it; and the variance of either.
Choices, as `TOPIC` is, by the accuracy on sources of Malay and Indonesian that were left out."""


def log_ratios(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log ratios of the frequencies of words in the second and the first language, and their variances
    (Monroe et al. 2008, doi:10.1093/pan/mpn018, equation 20): float64[units] each, of counts float64[units, 2]."""
    smoothed = counts + SMOOTHING
    ratios: np.ndarray = np.subtract(*np.log(smoothed / smoothed.sum(axis=0)).T[::-1])
    return ratios, (1 / smoothed).sum(axis=1)


def random_effects(ratios: np.ndarray, variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of k studies and the variances of what one more would find, that between studies included: float64[units]
    each (DerSimonian and Laird 1986, doi:10.1016/0197-2456(86)90046-2).

    Args:
        ratios: float64[k, units], what each study found.
        variances: float64[k, units], of each.
    """
    weight = 1 / variances
    total = weight.sum(axis=0)
    mean = (weight * ratios).sum(axis=0) / total
    excess = (weight * (ratios - mean) ** 2).sum(axis=0) - (len(ratios) - 1)
    scale = total - (weight**2).sum(axis=0) / total
    between = np.maximum(np.divide(excess, scale, out=np.zeros_like(total), where=scale > 0), 0)
    weight = 1 / (variances + between)
    return (weight * ratios).sum(axis=0) / weight.sum(axis=0), 1 / weight.sum(axis=0) + between


def evidence(counts: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """Evidence of words for the second of two languages: float64[units], in nats, the less the more uncertain (divided
    by the square root of 1 + variance, after MacKay 1992, doi:10.1162/neco.1992.4.5.720).

    Args:
        counts: float64[sources, units, 2], of words in texts of the languages.
        listed: bool[units, 2], whether the list of each language has the word; words of no list have only counts.
    """
    found = [log_ratios(source) for source in counts]
    mean, variance = random_effects(np.array([ratio for ratio, _ in found]), np.array([v for _, v in found]) + TOPIC)
    said = LISTED * (listed[:, 1].astype(np.float64) - listed[:, 0])
    precision = listed.any(axis=1) / LISTED_VARIANCE
    total = 1 / variance + precision
    return (mean / variance + said * precision) / total / np.sqrt(1 + 1 / total)
