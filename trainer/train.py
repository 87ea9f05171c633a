"""The training loop: shards in, metrics out step by step, a model that `transformers` loads at the end.

    for metrics in train(config, open_shards("shards/train"), open_shards("shards/validation"), Path("model")):
        print(metrics.step, metrics.loss)

Files written into the directory:

    checkpoints/step-*/     the newest few checkpoints; a run started again continues from the newest
    metrics.jsonl           one line per step
    model.safetensors, config.json, generation_config.json, evaluation.json      when the last step is done

On a CPU the weights and the evaluation are a pure function of configuration, shards and thread count, however often
the run was interrupted. On a GPU, attention's backward pass adds in varying order, so runs agree only closely.
"""

import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tokenizer.shards.reader import ShardSet
from trainer.checkpoint import (
    CheckpointError,
    Progress,
    RunIdentity,
    list_checkpoints,
    load_checkpoint,
    remove_unfinished,
    replace_file,
    save_checkpoint,
    save_pretrained,
    write_json,
)
from trainer.config import TrainConfig
from trainer.data.samples import SampleStream
from trainer.data.torch_dataset import Arrays, Batch, SampleDataset, data_loader
from trainer.data.windows import IGNORED, end_of_text
from trainer.evaluate import Evaluation, autocast, evaluate
from trainer.model import Qwen2
from trainer.optimizer import build_optimizer

__all__ = ["StepMetrics", "TrainConfig", "train"]


@dataclass(frozen=True)
class StepMetrics:
    """What one step did.

    Args:
        step: steps finished, so 1 after the first.
        loss: mean nats per label, before the step's update.
        gradient_norm: before clipping.
        tokens: learned since the run began, which is labels: padding is none.
        tokens_per_second: of this step, without evaluation and checkpoint.
        tokens_by_language, validation: on the steps that evaluate, `tokens` by language and `Evaluation.to_dict()`.
    """

    step: int
    loss: float
    gradient_norm: float
    learning_rate: float
    tokens: int
    tokens_per_second: float
    tokens_by_language: dict[str, int] | None = None
    validation: dict[str, Any] | None = None


def train(
    config: TrainConfig, train_source: ShardSet, validation_source: ShardSet, directory: str | Path
) -> Iterator[StepMetrics]:
    """Trains, or continues the run found in `directory`.

    Shards and model are checked against each other at once; the rest happens as the iterator advances. A step is
    yielded once its metrics are written and its checkpoint, if due, is on disk. Exhausting the iterator writes the
    final model and its evaluation; a finished run yields nothing and writes both again.

    Raises:
        ValueError: if shards, mixture and model do not fit together, or a token is outside the vocabulary.
        CheckpointError: if `directory` holds a run with another configuration, other data or other past weights.
        ShardDamaged: if a block that a step reads does not match its checksum.
        FloatingPointError: if loss or gradients stop being finite.
    """
    config = _fit_to_tokenizer(config, train_source, validation_source)
    stream = SampleStream(
        train_source, config.sequence_length, config.seed, config.packing, config.mixture, config.mixture_by
    )
    return _run(config, stream, validation_source, Path(directory))


def _run(config: TrainConfig, stream: SampleStream, validation: ShardSet, directory: Path) -> Iterator[StepMetrics]:
    device = choose_device(config.device)
    torch.manual_seed(config.seed)
    model = Qwen2(config.model).initialize(config.seed).to(device)
    optimizer = build_optimizer(model, config.learning_rate, config.weight_decay)
    identity = RunIdentity(config.identity(), _fingerprints(stream.shards, validation))
    checkpoints = directory / "checkpoints"
    progress = _resume(checkpoints, model, optimizer, identity, stream)
    _truncate_metrics(directory / "metrics.jsonl", progress.step)

    dataset = SampleDataset(stream, config.batch_size, first_step=progress.step)
    batches = iter(data_loader(dataset, config.workers))
    with (directory / "metrics.jsonl").open("a", encoding="utf-8") as log:
        for step in range(progress.step, config.steps):
            begun = time.perf_counter()
            learning_rate = config.learning_rate_schedule.learning_rate(step)
            arrays = next(batches)
            batch = Batch.of(arrays)
            loss, gradient_norm = update(model, optimizer, batch, config, learning_rate)
            seconds = time.perf_counter() - begun

            seen = _add_languages(progress.tokens_by_language, arrays, stream.shards.languages)
            progress = Progress(step + 1, seen, stream.state((step + 1) * config.batch_size))
            evaluation, due = None, _is_due(config.evaluate_every, progress.step)
            if due:
                evaluation = _evaluate(model, config, validation, config.evaluate_documents).to_dict()
            metrics = StepMetrics(
                step=progress.step,
                loss=loss,
                gradient_norm=gradient_norm,
                learning_rate=learning_rate,
                tokens=progress.tokens,
                tokens_per_second=batch.num_labels / seconds,
                tokens_by_language=seen if due else None,
                validation=evaluation,
            )
            _append(log, metrics)
            if _is_due(config.checkpoint_every, progress.step) or progress.step == config.steps:
                os.fsync(log.fileno())
                save_checkpoint(checkpoints, model, optimizer, progress, identity, config.keep_checkpoints)
            yield metrics

    final = _evaluate(model, config, validation, None).to_dict()
    save_pretrained(model, directory)
    details = {
        "steps": config.steps,
        "sequence_length": config.sequence_length,
        "training_tokens": progress.tokens_by_language,
    }
    write_json(directory / "evaluation.json", {**final, **details, "fingerprints": dict(identity.fingerprints)})


def update(
    model: Qwen2, optimizer: torch.optim.Optimizer, batch: Batch, config: TrainConfig, learning_rate: float
) -> tuple[float, float]:
    """One optimizer step on one batch.

    Returns:
        The mean loss in nats per label, and the norm of its gradient before clipping.

    Raises:
        FloatingPointError: if either is not finite; the weights have not been changed then.
    """
    loss = accumulate_gradients(model, batch, config)
    norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip))
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise FloatingPointError(
            f"loss {loss}, gradient norm {norm}: training has diverged. Lower learning_rate or lengthen warmup_steps, "
            "and train into another directory"
        )
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.step()
    return loss, norm


def accumulate_gradients(model: Qwen2, batch: Batch, config: TrainConfig) -> float:
    """Sets the gradients of the mean loss over all of the batch's labels; returns that loss.

    Every micro-batch's sum is divided by the label count of the whole batch, so the cut does not weigh labels.
    """
    device = next(model.parameters()).device
    labels = batch.num_labels
    if not labels:
        raise ValueError("a batch without a single label: every token of these documents begins another document")
    model.zero_grad(set_to_none=True)
    total = torch.zeros((), device=device)
    for part in batch.split(config.gradient_accumulation):
        loss = _loss_sum(model, part.to(device), config.torch_dtype) / labels
        torch.autograd.backward(loss)
        total += loss.detach()
    return float(total)


def _loss_sum(model: Qwen2, batch: Batch, dtype: torch.dtype) -> Tensor:
    with autocast(batch.tokens.device, dtype):
        logits = model(batch.tokens, batch.positions, batch.document_ids)
    return functional.cross_entropy(
        logits.float().flatten(0, 1), batch.labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def choose_device(name: str) -> torch.device:
    """ "auto" becomes CUDA where there is one, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _fit_to_tokenizer(config: TrainConfig, train_source: ShardSet, validation: ShardSet) -> TrainConfig:
    """Checks both sources against each other and the model; names `<|endoftext|>` in the model's configuration."""
    tokenizer, other = train_source.manifest["tokenizer"], validation.manifest["tokenizer"]
    if tokenizer["fingerprint"] != other["fingerprint"]:
        raise ValueError(
            f"the training shards were made with tokenizer {tokenizer['fingerprint']}, the validation shards with "
            f"{other['fingerprint']}: encode both with one tokenizer"
        )
    if tokenizer["vocabulary_size"] > config.model.vocab_size:
        raise ValueError(
            f"the tokenizer has {tokenizer['vocabulary_size']:,} tokens, but the model's vocab_size is only "
            f"{config.model.vocab_size:,}"
        )
    end, model = end_of_text(train_source), config.model
    bos = end if model.bos_token_id is None else model.bos_token_id
    eos = end if model.eos_token_id is None else model.eos_token_id
    return replace(config, model=replace(model, bos_token_id=bos, eos_token_id=eos))


def _fingerprints(train_source: ShardSet, validation: ShardSet) -> dict[str, str]:
    return {
        "train": train_source.fingerprint,
        "validation": validation.fingerprint,
        "tokenizer": train_source.manifest["tokenizer"]["fingerprint"],
    }


def _evaluate(model: Qwen2, config: TrainConfig, source: ShardSet, limit: int | None) -> Evaluation:
    count = source.num_documents if limit is None else min(limit, source.num_documents)
    return evaluate(
        model,
        source,
        sequence_length=config.sequence_length,
        rows=config.micro_batch_size,
        device=next(model.parameters()).device,
        dtype=config.torch_dtype,
        documents=[index * source.num_documents // count for index in range(count)],
    )


def _add_languages(before: Mapping[str, int], arrays: Arrays, languages: Sequence[str]) -> dict[str, int]:
    """Tokens by language, with those of a batch's pieces added; languages without any are left out."""
    counts = np.bincount(arrays["language"].numpy(), arrays["length"].numpy(), len(languages)).astype(np.int64)
    totals = {name: before.get(name, 0) + int(count) for name, count in zip(languages, counts, strict=True)}
    return {name: total for name, total in totals.items() if total}


def _resume(
    checkpoints: Path, model: Qwen2, optimizer: torch.optim.Optimizer, identity: RunIdentity, stream: SampleStream
) -> Progress:
    checkpoints.mkdir(parents=True, exist_ok=True)
    remove_unfinished(checkpoints)
    complete = list_checkpoints(checkpoints)
    if not complete:
        return Progress(0, {}, stream.state(0))
    progress = load_checkpoint(complete[-1], model, optimizer, identity)
    try:
        stream.resume(progress.samples)
    except ValueError as error:
        raise CheckpointError(
            f"{complete[-1]} cannot be continued: {error}\nSet them back, or remove {checkpoints} to train anew"
        ) from error
    return progress


def _is_due(every: int, step: int) -> bool:
    return every > 0 and step % every == 0


def _append(log: TextIO, metrics: StepMetrics) -> None:
    entry = {name: value for name, value in asdict(metrics).items() if value is not None}
    log.write(json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n")
    log.flush()


def _truncate_metrics(path: Path, step: int) -> None:
    """Drops the lines after `step`: they will be written again, and a crash may have cut the last one short."""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []:
        if not line.endswith("\n") or json.loads(line)["step"] > step:
            break
        kept.append(line)
    temporary = path.with_name(".unfinished-metrics.jsonl")
    temporary.write_text("".join(kept), encoding="utf-8")
    replace_file(temporary, path)
