"""The model is Qwen2: same numbers, gradients, names and files as Hugging Face's implementation."""

import dataclasses
import json

import pytest

torch = pytest.importorskip("torch")

import transformers  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from transformers.models.qwen2.modeling_qwen2 import Qwen2RMSNorm  # noqa: E402

from trainer.checkpoint import load_pretrained, save_pretrained  # noqa: E402
from trainer.model import PUBLISHED_CONFIGS, Qwen2, Qwen2Config, RMSNorm, count_parameters  # noqa: E402

SHAPES = {
    "one head": Qwen2Config(61, 8, 12, 1, 1, 1),
    "grouped, tied": Qwen2Config(97, 32, 40, 2, 4, 2, tie_word_embeddings=True, rope_theta=10_000.0),
    "grouped, untied": Qwen2Config(97, 32, 40, 3, 4, 2, rms_norm_eps=1e-5),
    "ratio of qwen2-0.5b": Qwen2Config(53, 84, 20, 2, 14, 2, tie_word_embeddings=True),
    "head size given": Qwen2Config(53, 20, 28, 2, 6, 3, head_dim=10),
}


@pytest.fixture(params=SHAPES.values(), ids=SHAPES.keys())
def config(request):
    return request.param


def randomised(model):
    """Biases start at 0 and norms at 1, where a model that ignores them passes: move every parameter."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            offset = 1.0 if parameter.ndim == 1 else 0.0
            parameter.copy_(torch.normal(offset, 0.3, parameter.shape, generator=generator))
    return model


def reference(config, model):
    """Hugging Face's model with the same weights."""
    settings = transformers.Qwen2Config(**config.to_huggingface(), attn_implementation="sdpa")
    other = transformers.Qwen2ForCausalLM(settings).to(next(model.parameters()).dtype)
    missing, unexpected = other.load_state_dict(model.state_dict(), strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}
    other.tie_weights()
    return other


def random_tokens(config, rows=2, length=19):
    return torch.randint(0, config.vocab_size, (rows, length), generator=torch.Generator().manual_seed(2))


def test_logits_and_all_gradients_equal_transformers(config):
    """In float64, where a formula that differs at all cannot hide in rounding."""
    model = randomised(Qwen2(config)).double()
    other = reference(config, model)
    tokens = random_tokens(config)
    weights = torch.randn(2, 19, config.vocab_size, dtype=torch.float64, generator=torch.Generator().manual_seed(3))

    ours, theirs = model(tokens), other(tokens).logits
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12 * theirs.detach().abs().max().item())
    (ours * weights).sum().backward()
    (theirs * weights).sum().backward()
    expected = dict(other.named_parameters())
    for name, parameter in model.named_parameters():
        scale = expected[name].grad.abs().max().item()
        torch.testing.assert_close(parameter.grad, expected[name].grad, rtol=0, atol=1e-12 * scale, msg=name)


def test_float32_logits_equal_transformers(config):
    model = randomised(Qwen2(config))
    tokens = random_tokens(config)
    with torch.no_grad():
        theirs = reference(config, model)(tokens).logits
        torch.testing.assert_close(model(tokens), theirs, rtol=0, atol=1e-6 * theirs.abs().max().item())


def test_norm_of_bfloat16_numbers_equals_transformers():
    """Computed in float32, rounded, and only then multiplied by the weight: another order gives other bits."""
    ours, theirs = RMSNorm(48, 1e-6).bfloat16(), Qwen2RMSNorm(48, 1e-6).bfloat16()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        weight = torch.normal(1.0, 0.3, (48,), generator=generator)
        ours.weight.copy_(weight)
        theirs.weight.copy_(weight)
        x = torch.normal(0.0, 5.0, (64, 48), generator=generator).bfloat16()
        assert torch.equal(ours(x), theirs(x))


def test_our_files_load_in_transformers(config, tmp_path):
    model = randomised(Qwen2(config))
    save_pretrained(model, tmp_path)
    other, report = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, output_loading_info=True, attn_implementation="sdpa"
    )
    assert type(other).__name__ == "Qwen2ForCausalLM"
    assert not any(report.values()), report
    assert other.config.rope_parameters["rope_theta"] == config.rope_theta
    assert ("lm_head.weight" in load_file(tmp_path / "model.safetensors")) is not config.tie_word_embeddings
    tokens = random_tokens(config)
    with torch.no_grad():
        assert torch.equal(other(tokens).logits, reference(config, model)(tokens).logits)


def test_their_files_load_here(config, tmp_path):
    original = randomised(Qwen2(config))
    reference(config, original).save_pretrained(tmp_path)
    model = load_pretrained(tmp_path)
    assert model.config == config
    assert model.state_dict().keys() == original.state_dict().keys()
    assert torch.equal(model(random_tokens(config)), original(random_tokens(config)))
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_changing_one_document_leaves_its_neighbours_logits_bit_equal(config):
    model = randomised(Qwen2(config))
    ids = torch.tensor([[0] * 7 + [1] * 8 + [2] * 4])
    positions = torch.cat([torch.arange(size) for size in (7, 8, 4)])[None]
    tokens = random_tokens(config, rows=1)
    changed = tokens.clone()
    changed[0, :7] = (changed[0, :7] + 1) % config.vocab_size
    with torch.no_grad():
        before, after = model(tokens, positions, ids), model(changed, positions, ids)
    assert torch.equal(before[:, 7:], after[:, 7:])
    assert not torch.equal(before[:, :7], after[:, :7])


def test_a_packed_document_has_the_logits_it_has_alone(config):
    model = randomised(Qwen2(config)).double()
    tokens = random_tokens(config, rows=1)
    ids = torch.tensor([[0] * 7 + [1] * 12])
    positions = torch.cat([torch.arange(size) for size in (7, 12)])[None]
    with torch.no_grad():
        packed, alone = model(tokens, positions, ids)[:, 7:], model(tokens[:, 7:])
    torch.testing.assert_close(packed, alone, rtol=1e-6, atol=1e-6 * alone.abs().max().item())


def test_a_logit_depends_on_earlier_tokens_only(config):
    model = randomised(Qwen2(config))
    tokens = random_tokens(config)
    changed = tokens.clone()
    changed[:, 10:] = (changed[:, 10:] + 1) % config.vocab_size
    with torch.no_grad():
        assert torch.equal(model(tokens)[:, :10], model(changed)[:, :10])


@pytest.mark.parametrize(
    "name, parameters", [("qwen2-0.5b", 494_032_768), ("qwen2-1.5b", 1_543_714_304), ("qwen2-7b", 7_615_616_512)]
)
def test_published_shapes_have_the_published_parameter_counts(name, parameters):
    with torch.device("meta"):
        model = Qwen2(PUBLISHED_CONFIGS[name])
    assert count_parameters(PUBLISHED_CONFIGS[name]) == parameters == sum(p.numel() for p in model.parameters())


def test_counted_parameters_are_the_models(config):
    assert count_parameters(config) == sum(parameter.numel() for parameter in Qwen2(config).parameters())


def test_initial_weights_are_a_function_of_the_seed():
    config = Qwen2Config(500, 64, 96, 2, 4, 2)
    first, again, other = (Qwen2(config).initialize(seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["lm_head.weight"], other["lm_head.weight"])
    assert first["model.embed_tokens.weight"].std().item() == pytest.approx(0.02, rel=0.02)
    assert not first["model.layers.0.self_attn.q_proj.bias"].any()
    assert (first["model.norm.weight"] == 1).all()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"num_attention_heads": 3}, "hidden_size 32 is not a multiple of num_attention_heads 3"),
        ({"num_key_value_heads": 3}, "num_attention_heads 4 is not a multiple of num_key_value_heads 3"),
        ({"head_dim": 7}, "head_dim is 7, but rotary positions need an even size"),
        ({"vocab_size": 0}, "vocab_size must be an integer of at least 1"),
        ({"rope_theta": 0.0}, "rope_theta must be greater than 0"),
        ({"eos_token_id": 97}, "eos_token_id is 97, outside the vocabulary of 97"),
    ],
)
def test_impossible_sizes_are_explained(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SHAPES["grouped, tied"], **change)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"model_type": "llama"}, "only 'qwen2' is supported"),
        ({"use_sliding_window": True}, "use_sliding_window is True"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0}}, "type 'yarn'"),
        ({"rope_parameters": None, "rope_scaling": {"type": "linear", "factor": 2.0}}, "type 'linear'"),
        ({"rope_parameters": None, "rope_theta": None}, "lacks rope_theta"),
    ],
)
def test_models_with_other_mathematics_are_refused(change, message):
    settings = SHAPES["grouped, tied"].to_huggingface()
    with pytest.raises(ValueError, match=message):
        Qwen2Config.from_huggingface({**settings, **change})


def test_huggingface_settings_round_trip_through_json(config):
    assert Qwen2Config.from_huggingface(json.loads(json.dumps(config.to_huggingface()))) == config


def test_settings_of_older_transformers_are_read():
    """Before version 5, config.json had rope_theta at its top and no rope_parameters."""
    settings = SHAPES["grouped, tied"].to_huggingface()
    del settings["rope_parameters"]
    assert Qwen2Config.from_huggingface(settings) == SHAPES["grouped, tied"]
