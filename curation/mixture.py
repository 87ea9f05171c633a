"""Mixture: how many copies of each document an epoch uses, so that languages and domains get the shares asked for.

Water-filling: the budget is dealt out in proportion to the weights; a group that cannot use its share without passing
``max_copies`` gets what it can use, and the rest is dealt to the others (UniMax's epoch cap, Chung et al. 2023,
arXiv:2304.09151, with the weights of temperature sampling, Arivazhagan et al. 2019, arXiv:1907.05019). A document's
number of copies is a pure function of its id, the seed and its group's rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xxhash

from curation.recipe import Mixture

Group = tuple[str, str]
"""Language and domain."""


class Share(NamedTuple):
    available: float  # bytes that passed the policy, times the weights of their documents
    asked: float  # share of the epoch by the recipe's weights
    rate: float  # copies of each document, on average
    got: float  # share of the epoch after caps


def weights(available: Mapping[Group, float], mixture: Mixture) -> dict[Group, float]:
    """The share of the epoch each group should have; they add up to 1."""
    domains: dict[str, float] = {}
    for (_, domain), size in available.items():
        domains[domain] = domains.get(domain, 0) + size
    named = {d: share for d, share in mixture.domains.items() if domains.get(d)}
    others = sum(size for d, size in domains.items() if d not in mixture.domains)
    rest = max(0.0, 1 - sum(named.values()))
    if others and rest < 1e-9:
        # All is given away: domains the recipe does not name, such as translated pages, keep their share by size.
        rest = others / sum(domains.values())
        named = {d: share * (1 - rest) for d, share in named.items()}
    out: dict[Group, float] = {}
    for domain, size in domains.items():
        share = named.get(domain, rest * size / others if others and domain not in mixture.domains else 0.0)
        largest = max((n for g, n in available.items() if g[1] == domain), default=0)  # keeps the powers finite
        inside = {g: (n / largest) ** (1 / mixture.temperature) for g, n in available.items() if g[1] == domain and n}
        total = sum(inside.values())
        out |= {group: share * weight / total for group, weight in inside.items()}
    scale = sum(out.values())
    return {group: weight / scale for group, weight in out.items()} if scale else {}


def deal(weights: dict[Group, float], most: dict[Group, float], budget: float) -> dict[Group, float]:
    """Deal out ``budget`` in proportion to the weights, no group more than its ``most``; others get what is left."""
    dealt: dict[Group, float] = {}
    rest = {group: weight for group, weight in weights.items() if weight > 0}
    while rest:
        left, total = max(0.0, budget - sum(dealt.values())), sum(rest.values())
        full = [group for group, weight in rest.items() if weight / total * left >= most[group]]
        for group in full or list(rest):
            dealt[group] = most[group] if full else rest[group] / total * left
        rest = {group: weight for group, weight in rest.items() if group not in dealt}
        if not full:
            break
    return dealt


def shares(available: Mapping[Group, float], mixture: Mixture) -> dict[Group, Share]:
    """Deal out the budget; ``available``: bytes per group."""
    asked = weights(available, mixture)
    most = {group: float(size * mixture.max_copies) for group, size in available.items()}
    dealt = deal(asked, most, mixture.budget * sum(available.values()))
    total = sum(dealt.values()) or 1.0
    return {
        group: Share(size, asked.get(group, 0.0), dealt.get(group, 0.0) / size if size else 0.0,
                     dealt.get(group, 0.0) / total)
        for group, size in sorted(available.items())
    }  # fmt: skip


def uniform(ids: list[str], seed: int, purpose: str) -> np.ndarray:
    """A number in [0, 1) for each id, a pure function of id, seed and purpose: float64[n]."""
    salt = xxhash.xxh3_64_intdigest(f"{seed}/{purpose}".encode())
    hashes = np.fromiter((xxhash.xxh3_64_intdigest(i.encode(), salt) for i in ids), np.uint64, len(ids))
    numbers: np.ndarray = (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers


def copies(ids: list[str], rate: np.ndarray, seed: int) -> np.ndarray:
    """Copies of each document: the whole part of its rate, plus one with the probability of the rest. uint8[n]."""
    whole = np.floor(rate)
    more: np.ndarray = (whole + (uniform(ids, seed, "mixture") < rate - whole)).astype(np.uint8)
    return more
