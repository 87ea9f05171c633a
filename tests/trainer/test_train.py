"""The loop learns, resumes bit for bit, weighs labels evenly and explains what it refuses."""

import dataclasses
import itertools
import json

import pytest

torch = pytest.importorskip("torch")

from trainer.checkpoint import CheckpointError, list_checkpoints, load_pretrained  # noqa: E402
from trainer.data.mixture import BLOCK, Stage  # noqa: E402
from trainer.data.samples import SampleStream  # noqa: E402
from trainer.data.torch_dataset import Batch, as_tensors  # noqa: E402
from trainer.data.windows import IGNORED  # noqa: E402
from trainer.model import Qwen2  # noqa: E402
from trainer.train import accumulate_gradients, train  # noqa: E402


@pytest.fixture
def sources(corpus):
    return corpus(90, seed=1), corpus(9, seed=2)


def logged_steps(directory):
    return [json.loads(line)["step"] for line in (directory / "metrics.jsonl").read_text().splitlines()]


def test_a_run_learns_and_leaves_a_model_that_loads(tiny_run, sources, tmp_path):
    config = dataclasses.replace(tiny_run, steps=60)
    metrics = list(train(config, *sources, tmp_path))
    assert [entry.step for entry in metrics] == logged_steps(tmp_path) == list(range(1, 61))
    assert metrics[0].loss == pytest.approx(5.56, abs=0.05)  # ln 260: an untrained model knows nothing
    assert metrics[-1].loss < 3.5
    assert 0.9 * 60 * 4 * 24 < metrics[-1].tokens <= 60 * 4 * 24  # all but the padding
    assert sum(metrics[-1].tokens_by_language.values()) == metrics[-1].tokens
    assert [entry.step for entry in metrics if entry.validation] == list(range(5, 61, 5))

    evaluation = json.loads((tmp_path / "evaluation.json").read_text())
    assert set(evaluation["languages"]) == {"en", "ru", "th"} and set(evaluation["domains"]) <= {"web", "code"}
    assert evaluation["documents"] == 9
    assert evaluation["training_tokens"] == metrics[-1].tokens_by_language
    assert evaluation["bytes"] == int(sources[1].meta["utf8_bytes"].sum())
    assert evaluation["macro"] < metrics[4].validation["macro"]
    model = load_pretrained(tmp_path)
    assert model.config == dataclasses.replace(config.model, bos_token_id=256, eos_token_id=256)


def test_each_step_sees_its_own_samples(tiny_run, sources, tmp_path):
    """With a learning rate that moves nothing, each loss is the initial model's on the samples of that step."""
    config = dataclasses.replace(tiny_run, learning_rate=1e-30)
    model = Qwen2(config.model).initialize(config.seed)
    stream = SampleStream(sources[0], config.sequence_length, config.seed)
    batches = [Batch.of(as_tensors(stream.read(range(4 * step, 4 * step + 4)))) for step in range(10)]
    expected = [accumulate_gradients(model, batch, config) for batch in batches]
    assert [entry.loss for entry in train(config, *sources, tmp_path)] == expected
    assert len(set(expected)) == 10


@pytest.mark.parametrize("stop", [5, 7], ids=["after a checkpoint", "between checkpoints"])
def test_an_interrupted_run_ends_bit_equal(tiny_run, sources, tmp_path, stop):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    expected = list(train(tiny_run, *sources, whole))

    interrupted = train(tiny_run, *sources, parts)
    assert len(list(itertools.islice(interrupted, stop))) == stop
    interrupted.close()
    assert not (parts / "model.safetensors").exists()
    with (parts / "metrics.jsonl").open("a") as log:
        log.write('{"step": 8, "lo')  # the crash cut a line short
    torch.manual_seed(99)
    continued = list(train(tiny_run, *sources, parts))

    assert [entry.step for entry in continued] == [6, 7, 8, 9, 10]
    assert [entry.loss for entry in continued] == [entry.loss for entry in expected[5:]]
    assert logged_steps(parts) == list(range(1, 11))
    for name in ("model.safetensors", "evaluation.json", "config.json", "generation_config.json"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes(), name
    for name in ("model.safetensors", "optimizer.safetensors", "state.json"):
        last = "checkpoints/step-00000010"
        assert (parts / last / name).read_bytes() == (whole / last / name).read_bytes(), name


def test_a_finished_run_started_again_takes_no_step_and_keeps_its_files(tiny_run, sources, tmp_path):
    list(train(tiny_run, *sources, tmp_path))
    names = ("model.safetensors", "evaluation.json", "metrics.jsonl")
    before = [(tmp_path / name).read_bytes() for name in names]
    assert list(train(tiny_run, *sources, tmp_path)) == []
    assert [(tmp_path / name).read_bytes() for name in names] == before


def test_gradient_accumulation_changes_nothing(tiny_run):
    """Eight rows with very unequal numbers of labels, as 1, 2, 4 and 8 micro-batches: same loss, same gradients."""
    generator = torch.Generator().manual_seed(0)
    shape = (8, 24)
    tokens, labels = (torch.randint(0, 257, shape, generator=generator) for _ in range(2))
    for row in range(8):
        labels[row, 3 * row :] = IGNORED
    batch = Batch(tokens, labels, torch.arange(24).expand(shape), torch.zeros(shape, dtype=torch.int64))
    assert batch.num_labels == sum(3 * row for row in range(8))
    model = Qwen2(tiny_run.model).initialize(0).double()

    results = []
    for parts in (1, 2, 4, 8):
        config = dataclasses.replace(tiny_run, batch_size=8, gradient_accumulation=parts)
        loss = accumulate_gradients(model, batch, config)
        results.append((loss, [parameter.grad.clone() for parameter in model.parameters()]))
    for loss, gradients in results[1:]:
        assert loss == pytest.approx(results[0][0], rel=1e-6)
        for gradient, expected in zip(gradients, results[0][1], strict=True):
            torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-7)


def test_accumulated_runs_agree(tiny_run, sources, tmp_path):
    whole = [entry.loss for entry in train(tiny_run, *sources, tmp_path / "1")]
    config = dataclasses.replace(tiny_run, gradient_accumulation=4)
    assert [entry.loss for entry in train(config, *sources, tmp_path / "4")] == pytest.approx(whole, rel=1e-4)


def test_workers_that_read_ahead_change_nothing(tiny_run, sources, tmp_path):
    expected = [entry.loss for entry in train(tiny_run, *sources, tmp_path / "0")]
    config = dataclasses.replace(tiny_run, workers=2)
    first = [entry.loss for entry in itertools.islice(train(config, *sources, tmp_path / "2"), 5)]
    rest = [entry.loss for entry in train(dataclasses.replace(tiny_run, workers=1), *sources, tmp_path / "2")]
    assert first + rest == expected


def test_later_weights_may_change_past_ones_may_not(tiny_run, sources, tmp_path):
    """2,048 samples of all sources, then Russian alone; continued in the second part with its weights kept or not."""
    names = SampleStream(sources[0], 24).sources
    even, russian = {name: 1.0 for name in names}, {"ru/web": 1.0, "ru/code": 1.0}
    stages = (Stage(0, even), Stage(BLOCK, russian))
    config = dataclasses.replace(
        tiny_run, batch_size=256, steps=10, checkpoint_every=1, evaluate_every=1, mixture=stages
    )
    metrics = list(itertools.islice(train(config, *sources, tmp_path), 8))
    assert len(metrics[-1].tokens_by_language) == 3
    (ninth,) = itertools.islice(train(config, *sources, tmp_path), 1)
    added = {name: count - metrics[-1].tokens_by_language[name] for name, count in ninth.tokens_by_language.items()}
    assert added["ru"] > 0 and added["en"] == added["th"] == 0
    changed = dataclasses.replace(config, mixture=(*stages, Stage(2 * BLOCK, even)))
    assert next(train(changed, *sources, tmp_path)).step == 10
    changed = dataclasses.replace(config, mixture=(Stage(0, russian), *stages[1:]))
    with pytest.raises(CheckpointError, match=r"cannot be continued: the samples differ[^$]*stages: "):
        next(train(changed, *sources, tmp_path))


def test_bfloat16_runs_stay_close_to_float32(tiny_run, sources, tmp_path):
    exact = [entry.loss for entry in train(tiny_run, *sources, tmp_path / "float32")]
    config = dataclasses.replace(tiny_run, dtype="bfloat16")
    assert [entry.loss for entry in train(config, *sources, tmp_path / "bfloat16")] == pytest.approx(exact, rel=0.02)
    assert {tensor.dtype for tensor in load_pretrained(tmp_path / "bfloat16").state_dict().values()} == {torch.float32}


def test_only_the_newest_checkpoints_stay(tiny_run, sources, tmp_path):
    config = dataclasses.replace(tiny_run, checkpoint_every=2, keep_checkpoints=3)
    list(train(config, *sources, tmp_path))
    names = [path.name for path in (tmp_path / "checkpoints").iterdir()]
    assert sorted(names) == ["step-00000006", "step-00000008", "step-00000010"]


def test_an_unfinished_checkpoint_is_ignored_and_removed(tiny_run, sources, tmp_path):
    list(itertools.islice(train(tiny_run, *sources, tmp_path), 5))
    unfinished = tmp_path / "checkpoints" / ".unfinished-step-00000009-1"
    unfinished.mkdir()
    (unfinished / "model.safetensors").write_bytes(b"half")
    assert next(train(tiny_run, *sources, tmp_path)).step == 6
    assert not unfinished.exists()


def test_another_configuration_is_refused_with_the_differences(tiny_run, sources, tmp_path):
    list(itertools.islice(train(tiny_run, *sources, tmp_path), 5))
    model = dataclasses.replace(tiny_run.model, num_hidden_layers=3)
    config = dataclasses.replace(tiny_run, learning_rate=0.02, model=model)
    with pytest.raises(CheckpointError) as refusal:
        next(train(config, *sources, tmp_path))
    message = str(refusal.value)
    assert "learning_rate: 0.01 -> 0.02" in message
    assert "model.num_hidden_layers: 2 -> 3" in message
    assert "batch_size" not in message
    assert "train into another directory" in message


def test_other_shards_are_refused_with_both_fingerprints(tiny_run, sources, corpus, tmp_path):
    list(itertools.islice(train(tiny_run, *sources, tmp_path), 5))
    other = corpus(90, seed=8)
    with pytest.raises(CheckpointError) as refusal:
        next(train(tiny_run, other, sources[1], tmp_path))
    assert f"fingerprint.train: '{sources[0].fingerprint}' -> '{other.fingerprint}'" in str(refusal.value)
    assert "fingerprint.validation" not in str(refusal.value)


def test_settings_that_do_not_decide_the_result_may_change(tiny_run, sources, tmp_path):
    list(itertools.islice(train(tiny_run, *sources, tmp_path), 5))
    config = dataclasses.replace(tiny_run, evaluate_every=0, checkpoint_every=1, gradient_accumulation=2)
    assert next(train(config, *sources, tmp_path)).step == 6


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_named(tiny_run, sources, tmp_path, name):
    list(itertools.islice(train(tiny_run, *sources, tmp_path), 5))
    (checkpoint,) = list_checkpoints(tmp_path / "checkpoints")
    file = checkpoint / name
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=name):
        next(train(tiny_run, *sources, tmp_path))


def test_divergence_stops_the_run_and_says_what_to_do(tiny_run, sources, tmp_path):
    config = dataclasses.replace(tiny_run, learning_rate=1e30, warmup_steps=0)
    with pytest.raises(FloatingPointError, match="Lower learning_rate"):
        list(train(config, *sources, tmp_path))


def test_a_tokenizer_larger_than_the_model_is_refused_at_once(tiny_run, sources, tmp_path):
    config = dataclasses.replace(tiny_run, model=dataclasses.replace(tiny_run.model, vocab_size=256))
    with pytest.raises(ValueError, match="the tokenizer has 257 tokens, but the model's vocab_size is only 256"):
        train(config, *sources, tmp_path)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"gradient_accumulation": 3}, "batch_size 4 cannot be cut into gradient_accumulation 3"),
        ({"sequence_length": 40_000}, "longer than the model's max_position_embeddings 32768"),
        ({"learning_rate": float("nan")}, "learning_rate must be greater than 0"),
        ({"dtype": "float16"}, "dtype must be 'float32' or 'bfloat16'"),
        ({"warmup_steps": 11}, "warmup_steps is 11"),
    ],
)
def test_settings_that_make_no_sense_are_named(tiny_run, change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(tiny_run, **change)
