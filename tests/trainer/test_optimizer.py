"""Which parameters decay, and the learning rate of every step."""

import math

import pytest

torch = pytest.importorskip("torch")

from trainer.model import Qwen2, Qwen2Config  # noqa: E402
from trainer.optimizer import Schedule, build_optimizer  # noqa: E402


@pytest.mark.parametrize("tied", [True, False])
def test_only_matrices_decay(tied):
    model = Qwen2(Qwen2Config(11, 8, 12, 1, 2, 1, tie_word_embeddings=tied))
    optimizer = build_optimizer(model, 0.1, 0.5)
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    decayed = {name for name, parameter in model.named_parameters() if decays[id(parameter)] == 0.5}
    layer = "model.layers.0."
    expected = {f"{layer}self_attn.{name}_proj.weight" for name in "qkvo"}
    expected |= {f"{layer}mlp.{name}_proj.weight" for name in ("gate", "up", "down")}
    assert decayed == expected | (set() if tied else {"lm_head.weight"})
    assert len(decays) == len(list(model.parameters()))


def test_warmup_stable_decay_by_hand():
    schedule = Schedule("wsd", peak=1.0, steps=12, warmup_steps=4, decay_steps=4, final_fraction=0.2)
    rates = [schedule.learning_rate(step) for step in range(12)]
    assert rates[:9] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert rates[9:] == pytest.approx([0.2 + 0.8 * (1 - math.sqrt(k / 4)) for k in (1, 2, 3)])


def test_cosine_by_hand():
    schedule = Schedule("cosine", peak=2.0, steps=10, warmup_steps=2, decay_steps=0, final_fraction=0.1)
    rates = [schedule.learning_rate(step) for step in range(10)]
    assert rates[:3] == [1.0, 2.0, 2.0]
    assert rates[6] == pytest.approx(0.2 + 1.8 / 2)  # half way: the mean of peak and floor
    assert rates[9] == pytest.approx(0.2 + 0.9 * (1 + math.cos(math.pi * 7 / 8)))
    assert rates[2:] == sorted(rates[2:], reverse=True)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"shape": "linear"}, "choose 'wsd' or 'cosine'"),
        ({"warmup_steps": 9, "decay_steps": 2}, "neither may be negative, nor their sum above the number of steps"),
        ({"final_fraction": 1.5}, "must be between 0 and 1"),
    ],
)
def test_impossible_schedules_are_explained(change, message):
    fields = {"shape": "wsd", "peak": 1.0, "steps": 10, "warmup_steps": 1, "decay_steps": 1, "final_fraction": 0.1}
    with pytest.raises(ValueError, match=message):
        Schedule(**{**fields, **change})
