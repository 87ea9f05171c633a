"""MinHash parameters by name and by threshold are those that are published and those that datasketch chooses."""

import datasketch
import pytest
from pydantic import ValidationError

from curation.dedup.minhash import catch_probability
from curation.recipe import Annotate
from curation.recipe_dedup import PRESETS, MinHash


def test_presets_have_the_published_catch_probabilities() -> None:
    """At Jaccard 0.7, 0.8, 0.9, by 1 - (1 - s**r)**b."""
    expected = {"fineweb": (0.565, 0.924, 1.0), "refinedweb": (0.302, 0.995, 1.0),
                "nemo-curator": (0.177, 0.677, 0.997),
                "slimpajama": (0.084, 0.399, 0.929), "redpajama-v2": (0.438, 0.867, 0.999)}  # fmt: skip
    assert set(expected) == set(PRESETS)
    for name, probabilities in expected.items():
        found = Annotate.model_validate({"minhash": name}).minhash
        for similarity, probability in zip((0.7, 0.8, 0.9), probabilities, strict=True):
            assert catch_probability(similarity, found.bands, found.rows) == pytest.approx(probability, abs=6e-4)


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8])
def test_a_threshold_chooses_as_datasketch_does(threshold: float) -> None:
    found = MinHash.model_validate({"threshold": threshold, "permutations": 256, "shingle": 3})
    index = datasketch.MinHashLSH(threshold=threshold, num_perm=256)
    assert (found.bands, found.rows, found.shingle) == (index.b, index.r, 3)


@pytest.mark.parametrize(("value", "message"), [
    ("finweb", "did you mean 'fineweb'"), ({"threshold": 2.0}, "between 0 and 1"),
    ({"threshold": 0.8, "bands": 3}, "give either"), ({"threshold": 0.8, "permutations": 1}, "from 2 to 2048"),
])  # fmt: skip
def test_wrong_parameters_are_told(value: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MinHash.model_validate(value)
