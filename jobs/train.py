"""Job `train`: ``shards/`` to ``model/``, the reference model that proves them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from typing import Any

from curation import storage
from curation.dataset import Job, fingerprint
from jobs import progress
from jobs.run_context import JobError, Run
from tokenizer.export import copy_beside_model
from tokenizer.shards.reader import DEFAULT_CACHE_BYTES, ShardDamaged, open_shards

VERSION = 2
FREE = {"device", "checkpoint_every", "evaluate_every", "workers", "cache", "cache_bytes", "mixture"}
"""Settings that do not change the model; of the mixture, what lies ahead of the newest checkpoint may change."""


def train_job(run: Run, sharded: Job) -> Job:
    described = {
        "version": VERSION,
        "train": run.recipe.train.model_dump(exclude=FREE),
        "seed": run.recipe.seed,
        "shards": sharded.fingerprint,
    }
    return Job(run.output, "train", ("model",), fingerprint(described), described)


def train(run: Run, sharded: Job) -> Job:
    """Run the job, continue it from its newest checkpoint, or find it done.

    Raises:
        JobError: PyTorch is not installed, a shard is damaged or cannot be read, a disk is full, training failed, or
            the weights of steps that are already trained have changed.
    """
    job = train_job(run, sharded)
    stages = run.recipe.train.model_dump(include={"mixture"})
    if job.open() and job.summary().items() >= stages.items():
        progress.say(f"{job.name:<16} done already")
        return job
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        raise JobError("job train needs PyTorch: pip install 'glotmill[train]'") from error
    with tempfile.TemporaryDirectory(prefix="glotmill-") as local:
        model = f"{local}/model" if storage.is_remote(run.output) else job.path("model")
        try:
            _train(run, run.recipe.train.cache or f"{local}/shards", model)
        except (ShardDamaged, ValueError, FloatingPointError, OSError) as error:
            raise JobError(f"train: {error}") from error
        if storage.is_remote(run.output):
            storage.publish_folder(model, job.path("model"))
    copy_beside_model(run.path("tokenizer"), job.path("model"))
    job.mark_done(stages)
    evaluation = json.loads(storage.read_text(job.path("model", "evaluation.json")))
    progress.say(f"{job.name:<16} {bits_per_byte(evaluation)} on the validation shards")
    progress.say(f"{job.name:<16} {tokens_by_language(evaluation)}")
    return job


def bits_per_byte(evaluation: dict[str, Any]) -> str:
    micro, macro, languages = evaluation["micro"], evaluation["macro"], len(evaluation["languages"])
    return f"{micro:.3f} bits per byte, {macro:.3f} on average over {languages} languages"


def tokens_by_language(evaluation: dict[str, Any]) -> str:
    """The tokens that the model learned from, the languages with the most first."""
    tokens: dict[str, int] = evaluation["training_tokens"]
    total, falling = sum(tokens.values()), sorted(tokens.items(), key=lambda item: -item[1])
    return f"learned {total:,} tokens: " + ", ".join(f"{name} {count / total:.1%}" for name, count in falling)


def _train(run: Run, cache: str, model: str) -> None:
    from trainer.data.mixture import Stage
    from trainer.model import Qwen2Config
    from trainer.train import TrainConfig
    from trainer.train import train as steps

    recipe = run.recipe.train
    stages = recipe.mixture or []
    mixture = tuple(Stage(stage.from_step * recipe.batch_size, stage.weights) for stage in stages) or None
    limit = recipe.cache_bytes or _cache_bytes(cache)
    train_source, validation_source = (
        open_shards(run.path("shards", name), cache, limit) for name in ("train", "validation")
    )
    config = TrainConfig(
        model=Qwen2Config(
            vocab_size=train_source.manifest["tokenizer"]["vocabulary_size"],
            hidden_size=recipe.hidden_size,
            intermediate_size=recipe.intermediate_size,
            num_hidden_layers=recipe.num_hidden_layers,
            num_attention_heads=recipe.num_attention_heads,
            num_key_value_heads=recipe.num_key_value_heads,
            tie_word_embeddings=True,
        ),
        sequence_length=recipe.sequence_length,
        packing=recipe.packing,
        mixture=mixture,
        mixture_by=tuple(recipe.mixture_by),
        workers=recipe.workers,
        batch_size=recipe.batch_size,
        steps=recipe.steps,
        learning_rate=recipe.learning_rate,
        warmup_steps=recipe.warmup_steps,
        checkpoint_every=recipe.checkpoint_every,
        evaluate_every=recipe.evaluate_every,
        evaluate_documents=EVALUATION_DOCUMENTS,
        device=recipe.device,
        seed=run.recipe.seed,
    )
    with progress.counter("train", recipe.steps, "steps") as show:
        for metrics in steps(config, train_source, validation_source, model):
            said = f"loss {metrics.loss:.3f}, {metrics.tokens_per_second:,.0f} tokens/s"
            show(metrics.step, said)
            if metrics.step % max(1, recipe.steps // 5) == 0 and not progress.console.is_terminal:
                progress.say(f"{'train':<16} step {metrics.step}/{recipe.steps}, {said}")


def _cache_bytes(cache: str) -> int:
    """As `open_shards` has it by default, but no more than half of what the disk has room for."""
    os.makedirs(cache, exist_ok=True)
    return min(DEFAULT_CACHE_BYTES, shutil.disk_usage(cache).free // 2)


EVALUATION_DOCUMENTS = 50
"""Validation documents scored during the run; the evaluation at its end scores all."""
