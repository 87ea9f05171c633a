"""The settings of a training run."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from trainer.data.mixture import Stage
from trainer.model import Qwen2Config
from trainer.optimizer import Schedule, ScheduleShape

# Settings that may change when a run is continued: none of them decides what the finished model should be.
_FREE_SETTINGS = (
    "gradient_accumulation",
    "evaluate_every",
    "evaluate_documents",
    "checkpoint_every",
    "keep_checkpoints",
    "device",
    "workers",
    "mixture",  # its past is compared with the checkpoint's by SampleStream.resume, its future may change
)


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run, besides the shards.

    Args:
        sequence_length: T, tokens per row.
        batch_size: rows per step, over all micro-batches; a step sees batch_size * sequence_length tokens.
        gradient_accumulation: micro-batches a step's rows are cut into. Saves memory, does not change the result.
        steps: optimizer steps of the whole run.
        learning_rate: its peak; `schedule`, `warmup_steps`, `decay_steps` (None: a tenth of the steps) and
            `final_learning_rate_fraction` are explained at `trainer.optimizer.Schedule`.
        gradient_clip: largest Euclidean norm of all gradients together.
        seed: initial weights and order of windows.
        packing: how documents fill the rows, `best_fit` or `concatenate` (`trainer.data.packing`).
        mixture: weights of sources, such as "en/web", from given samples on (`trainer.data.mixture`); None gives each
            source the share it has of the shards.
        mixture_by: fields of documents that tell sources apart: language, domain, source; () for one source.
        workers: processes that read ahead; 0 reads between steps.
        evaluate_every, checkpoint_every: in steps; 0 means only after the last one.
        evaluate_documents: how many validation documents, evenly spaced, the evaluations during the run score; None
            means all. The final evaluation always scores all.
        keep_checkpoints: how many of the newest checkpoints stay.
        device: "auto" is CUDA where there is one, else the CPU; or any name PyTorch knows.
        dtype: "bfloat16" computes matrix products in bfloat16; weights and optimizer stay float32.

    Raises:
        ValueError: naming the setting that makes no sense.
    """

    model: Qwen2Config
    sequence_length: int
    batch_size: int
    steps: int
    learning_rate: float
    gradient_accumulation: int = 1
    schedule: ScheduleShape = "wsd"
    warmup_steps: int = 0
    decay_steps: int | None = None
    final_learning_rate_fraction: float = 0.1
    weight_decay: float = 0.1
    gradient_clip: float = 1.0
    seed: int = 0
    packing: str = "best_fit"
    mixture: tuple[Stage, ...] | None = None
    mixture_by: tuple[str, ...] = ("language", "domain")
    workers: int = 0
    evaluate_every: int = 0
    evaluate_documents: int | None = None
    checkpoint_every: int = 0
    keep_checkpoints: int = 2
    device: str = "auto"
    dtype: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        for name in ("sequence_length", "batch_size", "steps", "gradient_accumulation", "keep_checkpoints"):
            if getattr(self, name) < 1:
                raise ValueError(f"TrainConfig.{name} must be at least 1, not {getattr(self, name)}")
        for name in ("learning_rate", "gradient_clip"):
            if not getattr(self, name) > 0:
                raise ValueError(f"TrainConfig.{name} must be greater than 0, not {getattr(self, name)}")
        for name in ("weight_decay", "evaluate_every", "checkpoint_every", "workers"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"TrainConfig.{name} must be at least 0, not {getattr(self, name)}")
        if self.evaluate_documents is not None and self.evaluate_documents < 1:
            raise ValueError(f"TrainConfig.evaluate_documents must be at least 1, not {self.evaluate_documents}")
        if self.batch_size % self.gradient_accumulation:
            raise ValueError(
                f"TrainConfig.batch_size {self.batch_size} cannot be cut into gradient_accumulation "
                f"{self.gradient_accumulation} equal micro-batches"
            )
        if self.sequence_length > self.model.max_position_embeddings:
            raise ValueError(
                f"TrainConfig.sequence_length {self.sequence_length} is longer than the model's "
                f"max_position_embeddings {self.model.max_position_embeddings}"
            )
        if self.dtype not in ("float32", "bfloat16"):
            raise ValueError(f"TrainConfig.dtype must be 'float32' or 'bfloat16', not {self.dtype!r}")
        _ = self.learning_rate_schedule

    @property
    def learning_rate_schedule(self) -> Schedule:
        decay = self.steps // 10 if self.decay_steps is None else self.decay_steps
        return Schedule(
            self.schedule, self.learning_rate, self.steps, self.warmup_steps, decay, self.final_learning_rate_fraction
        )

    @property
    def torch_dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.dtype == "bfloat16" else torch.float32

    @property
    def micro_batch_size(self) -> int:
        return self.batch_size // self.gradient_accumulation

    def identity(self) -> dict[str, Any]:
        """The settings a continued run must keep, as JSON values."""
        return {name: value for name, value in asdict(self).items() if name not in _FREE_SETTINGS}
