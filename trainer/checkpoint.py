"""Checkpoints that survive crashes, and the final model in Hugging Face's layout.

A checkpoint is a directory `step-00000010/` with

    model.safetensors        the weights, under Hugging Face's names
    optimizer.safetensors    AdamW's state, as `<weight name>/<exp_avg | exp_avg_sq | step>`
    state.json               step, tokens by language, samples, configuration, fingerprints of the data, random state,
                             checksums of the other two

It is written under a temporary name, flushed to disk and renamed, so a directory with this name is always complete.
"""

import base64
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from trainer.model import Qwen2, Qwen2Config

_PREFIX = "step-"
_TEMPORARY = ".unfinished-"
_WEIGHTS, _OPTIMIZER, _STATE = "model.safetensors", "optimizer.safetensors", "state.json"


class CheckpointError(ValueError):
    """A checkpoint that is damaged, or that belongs to another run."""


@dataclass(frozen=True)
class RunIdentity:
    """What a checkpoint must agree on to be continued: settings that decide the result, and the data.

    Args:
        config: nested JSON values.
        fingerprints: name -> fingerprint of each dataset and of the tokenizer.
    """

    config: Mapping[str, Any]
    fingerprints: Mapping[str, str]

    @property
    def config_hash(self) -> str:
        """SHA-256 of the configuration as JSON with sorted keys."""
        return hashlib.sha256(json.dumps(self.config, sort_keys=True).encode()).hexdigest()

    def differences(self, other: "RunIdentity") -> list[str]:
        """One line per value that is different in `other`: 'learning_rate: 0.001 -> 0.002'."""
        mine = _flatten({**self.config, "fingerprint": self.fingerprints})
        theirs = _flatten({**other.config, "fingerprint": other.fingerprints})
        names = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
        return [f"{name}: {mine.get(name)!r} -> {theirs.get(name)!r}" for name in names]


@dataclass(frozen=True)
class Progress:
    """How far a run has come: finished steps, tokens those steps learned by language, and `SampleStream.state`."""

    step: int
    tokens_by_language: Mapping[str, int]
    samples: Mapping[str, Any]

    @property
    def tokens(self) -> int:
        return sum(self.tokens_by_language.values())


def save_checkpoint(
    directory: Path,
    model: Qwen2,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    identity: RunIdentity,
    keep: int,
) -> Path:
    """Writes `directory/step-XXXXXXXX` atomically, then removes all but the newest `keep` checkpoints.

    Returns:
        The checkpoint's path.
    """
    final = directory / f"{_PREFIX}{progress.step:08d}"
    temporary = directory / f"{_TEMPORARY}{final.name}-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    save_file(_tensors(model), temporary / _WEIGHTS)
    save_file(_optimizer_tensors(model, optimizer), temporary / _OPTIMIZER)
    state = {
        "step": progress.step,
        "tokens_by_language": dict(progress.tokens_by_language),
        "samples": dict(progress.samples),
        "config": identity.config,
        "config_hash": identity.config_hash,
        "fingerprints": dict(identity.fingerprints),
        "random_state": base64.b64encode(torch.get_rng_state().numpy().tobytes()).decode(),
        "sha256": {name: _sha256(temporary / name) for name in (_WEIGHTS, _OPTIMIZER)},
    }
    (temporary / _STATE).write_text(_json(state), encoding="utf-8")
    for name in (_WEIGHTS, _OPTIMIZER, _STATE):
        _flush(temporary / name)
    _flush(temporary)
    _remove(final)
    temporary.rename(final)
    _flush(directory)
    for old in list_checkpoints(directory)[:-keep]:
        _remove(old)
    return final


def list_checkpoints(directory: Path) -> list[Path]:
    """Complete checkpoints in `directory`, oldest first."""
    return sorted(path for path in directory.glob(f"{_PREFIX}*") if path.is_dir())


def remove_unfinished(directory: Path) -> None:
    """Deletes what an interrupted save or removal left behind."""
    for path in directory.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(path)


def load_checkpoint(path: Path, model: Qwen2, optimizer: torch.optim.Optimizer, identity: RunIdentity) -> Progress:
    """Restores weights, optimizer and random state in place.

    Raises:
        CheckpointError: if a file is missing or damaged, or the checkpoint was made with another configuration or
            other data; the message lists each difference. Nothing has been changed then.
    """
    state = _read_state(path)
    saved = RunIdentity(state["config"], state["fingerprints"])
    differences = saved.differences(RunIdentity(json.loads(json.dumps(identity.config)), identity.fingerprints))
    if differences:
        raise CheckpointError(
            f"{path} was made by a different run and cannot be continued (checkpoint -> now):\n  "
            + "\n  ".join(differences)
            + "\nRestore these values, or train into another directory."
        )
    for name, expected in state["sha256"].items():
        _verify(path / name, expected)
    model.load_state_dict(load_file(path / _WEIGHTS))
    _load_optimizer(model, optimizer, load_file(path / _OPTIMIZER))
    random_state = bytearray(base64.b64decode(state["random_state"]))
    torch.set_rng_state(torch.frombuffer(random_state, dtype=torch.uint8))
    return Progress(state["step"], state["tokens_by_language"], state["samples"])


def save_pretrained(model: Qwen2, directory: Path) -> None:
    """Writes config.json, generation_config.json and model.safetensors so that `transformers` loads the model.

    Each file is replaced atomically; the weights are written as they are, with tied embeddings once.
    """
    directory.mkdir(parents=True, exist_ok=True)
    config = model.config
    tensors = _tensors(model)
    dtype = str(tensors["model.norm.weight"].dtype).removeprefix("torch.")
    temporary = directory / f"{_TEMPORARY}{_WEIGHTS}"
    save_file(tensors, temporary, metadata={"format": "pt"})  # transformers refuses files without this entry
    replace_file(temporary, directory / _WEIGHTS)
    write_json(directory / "config.json", {**config.to_huggingface(), "dtype": dtype})
    ids = {"bos_token_id": config.bos_token_id, "eos_token_id": config.eos_token_id}
    write_json(directory / "generation_config.json", {name: value for name, value in ids.items() if value is not None})


def load_pretrained(directory: Path) -> Qwen2:
    """Reads a Qwen2 model saved by `save_pretrained` or by `transformers` (one or several safetensors files).

    Raises:
        FileNotFoundError: if config.json or the weights are missing.
        ValueError: if config.json describes something else than a plain Qwen2.
        RuntimeError: if weights are missing, left over or of another shape.
    """
    settings = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    config = Qwen2Config.from_huggingface(settings)
    files = sorted(directory.glob("model*.safetensors"))
    if not files:
        raise FileNotFoundError(f"{directory} has a config.json but no model*.safetensors")
    tensors = {name: tensor for file in files for name, tensor in load_file(file).items()}
    if config.tie_word_embeddings:
        tensors.pop("lm_head.weight", None)
    with torch.device("meta"):
        model = Qwen2(config)
    model.load_state_dict(tensors, assign=True)
    return model.requires_grad_(True)


def write_json(path: Path, value: Any) -> None:
    """Replaces a JSON file atomically."""
    temporary = path.with_name(f"{_TEMPORARY}{path.name}")
    temporary.write_text(_json(value), encoding="utf-8")
    replace_file(temporary, path)


def replace_file(temporary: Path, final: Path) -> None:
    """Flushes `temporary` to disk and renames it to `final`, so that a crash leaves the old file or the new one."""
    _flush(temporary)
    temporary.replace(final)
    _flush(final.parent)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}


def _optimizer_tensors(model: Qwen2, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{name}/{key}": tensor.detach().cpu().contiguous()
        for name, parameter in model.named_parameters()
        for key, tensor in optimizer.state[parameter].items()
    }


def _load_optimizer(model: Qwen2, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    parameters = dict(model.named_parameters())
    for entry, tensor in tensors.items():
        name, key = entry.rsplit("/", 1)
        parameter = parameters[name]
        # AdamW keeps its step counters on the CPU.
        optimizer.state[parameter][key] = tensor if key == "step" else tensor.to(parameter.device)


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads((path / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path / _STATE} cannot be read ({error}): delete {path} to fall back") from error
    return state


def _verify(file: Path, expected: str) -> None:
    if not file.is_file() or _sha256(file) != expected:
        raise CheckpointError(f"{file} is missing or damaged: delete {file.parent} to fall back to an older one")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """fsync: a rename is only safe once what it names has reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    """Deletes a checkpoint under another name, so that a half-deleted one is never taken for complete."""
    if path.exists():
        doomed = path.with_name(f"{_TEMPORARY}{path.name}-removed-{os.getpid()}")
        path.rename(doomed)
        shutil.rmtree(doomed)


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat
