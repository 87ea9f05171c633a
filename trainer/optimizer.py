"""AdamW parameter groups and learning-rate schedules."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

ScheduleShape = Literal["wsd", "cosine"]
# The settings of GPT-3 (arXiv:2005.14165, appendix B), kept by most language models since.
BETAS = (0.9, 0.95)
EPSILON = 1e-8


def build_optimizer(model: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW (arXiv:1711.05101) that decays weight matrices only.

    Norms, biases and the embedding table (also when it is the output layer) are not decayed: a norm's natural value
    is 1 and a rare token's row would shrink between its appearances. An untied output layer is a matrix and decays.
    """
    decayed = [p for name, p in model.named_parameters() if is_decayed(name, p)]
    kept = [p for name, p in model.named_parameters() if not is_decayed(name, p)]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": kept, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=BETAS, eps=EPSILON)


def is_decayed(name: str, parameter: torch.Tensor) -> bool:
    """Whether weight decay applies to the parameter of this name."""
    return parameter.ndim >= 2 and "embed_tokens" not in name


@dataclass(frozen=True)
class Schedule:
    """Learning rate of every step s = 0, 1, ..., steps - 1, with peak P, floor F = final_fraction * P.

    Warm-up, both shapes, s < W:      P (s + 1) / W
    cosine (arXiv:1608.03983, eq. 5): F + (P - F) (1 + cos(pi (s - W) / (steps - W))) / 2
    wsd (warm-up, stable, decay; arXiv:2404.06395), with D = decay_steps:
        stable, s < steps - D:        P
        decay, "1 - sqrt" (arXiv:2405.18392, eq. 2): F + (P - F) (1 - sqrt((s - (steps - D)) / D))

    Raises:
        ValueError: if the phases do not fit into `steps`.
    """

    shape: ScheduleShape
    peak: float
    steps: int
    warmup_steps: int
    decay_steps: int
    final_fraction: float

    def __post_init__(self) -> None:
        if self.shape not in ("wsd", "cosine"):
            raise ValueError(f"schedule is {self.shape!r}; choose 'wsd' or 'cosine'")
        phases = self.warmup_steps + (self.decay_steps if self.shape == "wsd" else 0)
        if self.warmup_steps < 0 or self.decay_steps < 0 or phases > self.steps:
            raise ValueError(
                f"the schedule has {self.steps} steps, but warmup_steps is {self.warmup_steps} and decay_steps "
                f"{self.decay_steps}: neither may be negative, nor their sum above the number of steps"
            )
        if not 0 <= self.final_fraction <= 1:
            raise ValueError(f"final_learning_rate_fraction must be between 0 and 1, not {self.final_fraction}")

    def learning_rate(self, step: int) -> float:
        """The rate used by step `step`, counted from 0."""
        if step < self.warmup_steps:
            return self.peak * (step + 1) / self.warmup_steps
        return self.peak * (self.final_fraction + (1 - self.final_fraction) * self._decay(step))

    def _decay(self, step: int) -> float:
        """1 at the peak, falling towards 0."""
        if self.shape == "cosine":
            return (1 + math.cos(math.pi * (step - self.warmup_steps) / (self.steps - self.warmup_steps))) / 2
        begin = self.steps - self.decay_steps
        return 1.0 if step < begin else 1 - math.sqrt((step - begin) / self.decay_steps)
