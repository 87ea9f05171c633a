"""The mixture: shares add up, caps hold, the budget is dealt out, and copies are a pure function."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.mixture import copies, shares, uniform, weights
from curation.recipe import Mixture

groups = st.dictionaries(
    st.tuples(st.sampled_from(["en", "de", "zh", "lo"]), st.sampled_from(["web", "code", "math"])),
    st.integers(0, 10**12),
    max_size=8,
)
mixtures = st.builds(
    Mixture,
    temperature=st.floats(0.01, 100),
    domains=st.dictionaries(st.sampled_from(["web", "code", "books"]), st.floats(0, 0.33), max_size=3),
    budget=st.floats(0.01, 20),
    max_copies=st.integers(1, 10),
)


@settings(deadline=None, max_examples=150)
@given(groups, mixtures)
@example({("en", "web"): 10**9, ("de", "web"): 1}, Mixture(temperature=0.01))
def test_properties_of_the_shares(available: dict, mixture: Mixture) -> None:
    asked = weights(available, mixture)
    assert not asked or math.isclose(sum(asked.values()), 1, rel_tol=1e-9)
    got = shares(available, mixture)
    assert list(got) == sorted(available)
    used = {group: got[group].rate * available[group] for group in got}
    usable = sum(available[group] * mixture.max_copies for group in got if asked.get(group, 0) > 0)
    budget = mixture.budget * sum(available.values())
    assert math.isclose(sum(used.values()), min(budget, usable), rel_tol=1e-6, abs_tol=1e-6), "budget not dealt out"
    assert all(0 <= share.rate <= mixture.max_copies * (1 + 1e-12) for share in got.values())
    if sum(used.values()) > 0:
        assert math.isclose(sum(share.got for share in got.values()), 1, rel_tol=1e-9)
    for group, share in got.items():
        assert share.available == available[group]
        assert math.isclose(share.got * sum(used.values()), used[group], rel_tol=1e-9, abs_tol=1e-6)


@settings(deadline=None, max_examples=200)
@given(groups, mixtures)
def test_groups_below_the_cap_keep_the_proportions_asked_for(available: dict, mixture: Mixture) -> None:
    """Water-filling: what is not capped is dealt in proportion to the weights; what is capped had asked for more."""
    got = shares(available, mixture)
    free = [s for s in got.values() if s.asked > 1e-9 and 0 < s.rate < mixture.max_copies * (1 - 1e-9)]
    level = [s.got / s.asked for s in free]
    assert all(math.isclose(x, level[0], rel_tol=1e-6) for x in level)
    for share in got.values():
        if level and share.asked > 1e-9 and share.rate >= mixture.max_copies * (1 - 1e-9):
            assert share.got / share.asked <= level[0] * (1 + 1e-6)


def test_domain_shares_and_temperature_by_hand() -> None:
    available = {("en", "web"): 900, ("de", "web"): 100, ("en", "code"): 1000}
    by_size = weights(available, Mixture())
    assert by_size == pytest.approx({("en", "web"): 0.45, ("de", "web"): 0.05, ("en", "code"): 0.5})
    named = weights(available, Mixture(domains={"web": 0.8}, temperature=2))
    assert named == pytest.approx({("en", "web"): 0.6, ("de", "web"): 0.2, ("en", "code"): 0.2})
    missing = weights(available, Mixture(domains={"books": 0.5, "web": 0.4, "code": 0.1}))
    assert missing[("en", "code")] == pytest.approx(0.2)  # the share of a domain that is not there goes to the others


def test_a_capped_language_leaves_its_rest_to_the_others() -> None:
    got = shares({("en", "web"): 1000, ("lo", "web"): 10}, Mixture(temperature=1e9, max_copies=3))
    assert got[("lo", "web")].rate == 3 and got[("lo", "web")].asked == pytest.approx(0.5)
    assert got[("en", "web")].rate == pytest.approx((1010 - 30) / 1000)


def test_nothing_available() -> None:
    assert shares({}, Mixture()) == {}
    assert shares({("en", "web"): 0}, Mixture())[("en", "web")].rate == 0
    assert shares({("en", "web"): 5}, Mixture(domains={"web": 0}))[("en", "web")].rate == 0


IDS = [f"doc-{i}" for i in range(20_000)]


@pytest.mark.parametrize("rate", [0.0, 0.25, 1.0, 1.5, 2.9])
def test_copies_average_to_the_rate(rate: float) -> None:
    found = copies(IDS, np.full(len(IDS), rate), seed=3)
    assert found.dtype == np.uint8
    assert set(found.tolist()) <= {math.floor(rate), math.floor(rate) + 1}
    assert abs(found.mean() - rate) <= 5 * 0.5 / len(IDS) ** 0.5
    if rate == int(rate):
        assert (found == rate).all()


def test_copies_depend_on_id_seed_and_rate_alone() -> None:
    rates = np.linspace(0, 3, len(IDS))
    whole = copies(IDS, rates, 1)
    order = np.random.default_rng(0).permutation(len(IDS))
    assert (copies([IDS[i] for i in order], rates[order], 1) == whole[order]).all()
    assert (copies(IDS[:10], rates[:10], 1) == whole[:10]).all()
    assert (copies(IDS, rates, 2) != whole).any()
    assert (copies(IDS, rates + 0.1, 1) >= whole).all(), "a higher rate never takes a document away"


def test_uniform_is_uniform_and_its_purposes_are_independent() -> None:
    numbers = uniform(IDS, 1, "a")
    assert ((numbers >= 0) & (numbers < 1)).all() and len(set(numbers.tolist())) == len(IDS)
    counts = np.histogram(numbers, 20, (0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 50  # chi-square with 19 degrees of freedom: p < 0.0002
    assert abs(np.corrcoef(numbers, uniform(IDS, 1, "b"))[0, 1]) < 0.04
