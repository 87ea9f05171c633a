"""The Qwen2 decoder: configuration, network and parameter count.

Source of every formula: the Qwen2 technical report, arXiv:2407.10671, section 2.2, as released in Hugging Face
`transformers` (`Qwen2ForCausalLM`). Pre-norm RMSNorm, SwiGLU, rotary positions, grouped-query attention, and bias
on the query, key and value projections only. Field names and weight names are Hugging Face's, so a checkpoint needs
no converter in either direction.

Shapes: B rows, T positions, C hidden size, H query heads, K key/value heads, D head size, V vocabulary.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_SIZES = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
)
# Settings of a Hugging Face config.json that would change the mathematics, and the one value implemented here.
_FIXED_SETTINGS: dict[str, Any] = {"hidden_act": "silu", "use_sliding_window": False, "attention_dropout": 0.0}


@dataclass(frozen=True)
class Qwen2Config:
    """Sizes and constants of one Qwen2 model, under Hugging Face's names.

    Defaults are those of the released Qwen2 models; `initializer_range` is the standard deviation of the normal
    distribution every matrix is drawn from. `head_dim` None means hidden_size / num_attention_heads. The token ids
    are only written into config.json: the network does not use them.

    Raises:
        ValueError: if the sizes do not fit together; the message names the field.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int | None = None
    max_position_embeddings: int = 32_768
    rope_theta: float = 1_000_000.0
    rms_norm_eps: float = 1e-6
    tie_word_embeddings: bool = False
    initializer_range: float = 0.02
    bos_token_id: int | None = None
    eos_token_id: int | None = None

    def __post_init__(self) -> None:
        for name in (*_SIZES, "max_position_embeddings"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"Qwen2Config.{name} must be an integer of at least 1, not {value!r}")
        if self.head_dim is None and self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"Qwen2Config.hidden_size {self.hidden_size} is not a multiple of num_attention_heads "
                f"{self.num_attention_heads}: change one of them or give head_dim"
            )
        if self.head_size < 2 or self.head_size % 2:
            raise ValueError(f"Qwen2Config.head_dim is {self.head_size}, but rotary positions need an even size")
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"Qwen2Config.num_attention_heads {self.num_attention_heads} is not a multiple of "
                f"num_key_value_heads {self.num_key_value_heads}, so query heads cannot share keys evenly"
            )
        for name in ("rope_theta", "rms_norm_eps", "initializer_range"):
            if not getattr(self, name) > 0:
                raise ValueError(f"Qwen2Config.{name} must be greater than 0, not {getattr(self, name)!r}")
        for name in ("bos_token_id", "eos_token_id"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < self.vocab_size:
                raise ValueError(f"Qwen2Config.{name} is {value}, outside the vocabulary of {self.vocab_size}")

    @property
    def head_size(self) -> int:
        """Numbers per attention head (D)."""
        return self.head_dim if self.head_dim is not None else self.hidden_size // self.num_attention_heads

    def to_huggingface(self) -> dict[str, Any]:
        """The contents of the config.json from which `transformers` builds the same model.

        The rotary base is written twice: transformers 5 reads `rope_parameters` and silently assumes a base of
        10,000 without it; earlier versions read `rope_theta`.
        """
        settings: dict[str, Any] = {
            "architectures": ["Qwen2ForCausalLM"],
            "model_type": "qwen2",
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "max_position_embeddings": self.max_position_embeddings,
            "rope_theta": self.rope_theta,
            "rope_parameters": {"rope_type": "default", "rope_theta": self.rope_theta},
            "rms_norm_eps": self.rms_norm_eps,
            "tie_word_embeddings": self.tie_word_embeddings,
            "initializer_range": self.initializer_range,
            "bos_token_id": self.bos_token_id,
            "eos_token_id": self.eos_token_id,
            "use_cache": True,
            **_FIXED_SETTINGS,
        }
        if self.head_dim is not None:
            settings["head_dim"] = self.head_dim
        return settings

    @classmethod
    def from_huggingface(cls, settings: Mapping[str, Any]) -> "Qwen2Config":
        """Reads the contents of a Hugging Face config.json.

        Raises:
            ValueError: if it is not a Qwen2 model, or asks for something this model does not compute (scaled rotary
                positions, sliding windows, dropout), or lacks a size or the rotary base.
        """
        if settings.get("model_type") != "qwen2":
            raise ValueError(f"config.json: model_type is {settings.get('model_type')!r}; only 'qwen2' is supported")
        for name, supported in _FIXED_SETTINGS.items():
            if settings.get(name, supported) != supported:
                raise ValueError(f"config.json: {name} is {settings[name]!r}; only {supported!r} is supported")
        rope = settings.get("rope_parameters") or settings.get("rope_scaling") or {}
        rope_type = rope.get("rope_type", rope.get("type", "default"))
        if rope_type != "default":
            raise ValueError(f"config.json: rotary positions of type {rope_type!r}; only 'default' is supported")
        values = {name: settings[name] for name in cls.__dataclass_fields__ if name in settings}
        values["rope_theta"] = rope.get("rope_theta", settings.get("rope_theta"))
        missing = [name for name in (*_SIZES, "rope_theta") if values.get(name) is None]
        if missing:
            raise ValueError(f"config.json lacks {', '.join(missing)}")
        for name in ("bos_token_id", "eos_token_id"):
            if isinstance(values.get(name), list):  # several end tokens: the first one is the model's own
                values[name] = values[name][0]
        return cls(**values)


# Released shapes, arXiv:2407.10671 table 1; the vocabulary is the padded number of embedding rows.
PUBLISHED_CONFIGS = {
    "qwen2-0.5b": Qwen2Config(151_936, 896, 4_864, 24, 14, 2, tie_word_embeddings=True),
    "qwen2-1.5b": Qwen2Config(151_936, 1_536, 8_960, 28, 12, 2, tie_word_embeddings=True),
    "qwen2-7b": Qwen2Config(152_064, 3_584, 18_944, 28, 28, 4),
}


def count_parameters(config: Qwen2Config) -> int:
    """Number of trained parameters, tied embeddings counted once."""
    hidden, queries = config.hidden_size, config.num_attention_heads * config.head_size
    keys = config.num_key_value_heads * config.head_size
    attention = (hidden + 1) * (queries + 2 * keys) + queries * hidden
    layer = attention + 3 * hidden * config.intermediate_size + 2 * hidden
    embeddings = config.vocab_size * hidden * (1 if config.tie_word_embeddings else 2)
    return embeddings + config.num_hidden_layers * layer + hidden


class RMSNorm(nn.Module):
    """Root mean square normalisation, computed in float32 (arXiv:1910.07467, equation 4)."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        normalised = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
        return self.weight * normalised.to(x.dtype)


def rotary_table(positions: Tensor, head_size: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines of RoPE (arXiv:2104.09864): angle m * theta^(-2j/D) for position m and pair j.

    Args:
        positions: (B, T) integers.

    Returns:
        Two float32 tensors (B, 1, T, D): pair j is (j, j + D/2), so each angle appears twice.
    """
    exponents = torch.arange(0, head_size, 2, dtype=torch.float32, device=positions.device) / head_size
    angles = positions[:, None, :, None].float() * (1.0 / theta**exponents)
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turns queries or keys (B, heads, T, D) by their position's angles."""
    first, second = x.chunk(2, dim=-1)
    return x * cosine + torch.cat((-second, first), dim=-1) * sine


class Attention(nn.Module):
    """Grouped-query attention (arXiv:2305.13245): H / K query heads share each key/value head."""

    def __init__(self, config: Qwen2Config) -> None:
        super().__init__()
        self.head_size = config.head_size
        self.group = config.num_attention_heads // config.num_key_value_heads
        queries, keys = config.num_attention_heads * self.head_size, config.num_key_value_heads * self.head_size
        self.q_proj = nn.Linear(config.hidden_size, queries, bias=True)
        self.k_proj = nn.Linear(config.hidden_size, keys, bias=True)
        self.v_proj = nn.Linear(config.hidden_size, keys, bias=True)
        self.o_proj = nn.Linear(queries, config.hidden_size, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor | None) -> Tensor:
        rows, length, _ = x.shape
        # (B, T, heads * D) -> (B, heads, T, D)
        query = self.q_proj(x).view(rows, length, -1, self.head_size).transpose(1, 2)
        key = self.k_proj(x).view(rows, length, -1, self.head_size).transpose(1, 2)
        value = self.v_proj(x).view(rows, length, -1, self.head_size).transpose(1, 2)
        query = rotate(query, cosine, sine).to(value.dtype)
        key = rotate(key, cosine, sine).to(value.dtype)
        # Repeated by hand: PyTorch's masked CUDA kernels do not all accept fewer key heads than query heads.
        key, value = key.repeat_interleave(self.group, dim=1), value.repeat_interleave(self.group, dim=1)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=mask is None)
        output: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(rows, length, -1))
        return output


class FeedForward(nn.Module):
    """SwiGLU: down(silu(gate(x)) * up(x)) (arXiv:2002.05202, section 2)."""

    def __init__(self, config: Qwen2Config) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return output


class Layer(nn.Module):
    """One decoder layer: attention, then feed-forward, each on a normalised copy of the residual stream."""

    def __init__(self, config: Qwen2Config) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = FeedForward(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor | None) -> Tensor:
        attended: Tensor = x + self.self_attn(self.input_layernorm(x), cosine, sine, mask)
        output: Tensor = attended + self.mlp(self.post_attention_layernorm(attended))
        return output


class Decoder(nn.Module):
    """Embeddings, layers and final norm; a module of its own because Hugging Face's names start with `model.`"""

    def __init__(self, config: Qwen2Config) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Qwen2(nn.Module):
    """The language model. `state_dict()` has the names of Hugging Face's files (tied: no `lm_head.weight`)."""

    def __init__(self, config: Qwen2Config) -> None:
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        if not config.tie_word_embeddings:
            self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    @torch.no_grad()
    def initialize(self, seed: int) -> "Qwen2":
        """Draws matrices from N(0, initializer_range); biases 0, norms 1. A pure function of sizes and seed.

        Drawn in `named_parameters` order from one CPU generator, so that every device starts from the same weights.
        """
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 1:
                parameter.fill_(0.0 if name.endswith(".bias") else 1.0)
            else:
                drawn = torch.normal(0.0, self.config.initializer_range, parameter.shape, generator=generator)
                parameter.copy_(drawn)
        return self

    def forward(self, tokens: Tensor, positions: Tensor | None = None, document_ids: Tensor | None = None) -> Tensor:
        """Next-token logits.

        Args:
            tokens: (B, T) int64, each in [0, vocab_size).
            positions: (B, T) int64 rotary positions; None counts from 0 along the row.
            document_ids: (B, T) int64; a position sees earlier positions with its own id only, so documents packed
                into one row cannot see each other. None treats each row as one document.

        Returns:
            (B, T, V) logits; the one at t predicts the token after t.
        """
        if positions is None:
            positions = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
        cosine, sine = rotary_table(positions, self.config.head_size, self.config.rope_theta)
        mask = None if document_ids is None else document_mask(document_ids)
        x = self.model.embed_tokens(tokens)  # (B, T, C)
        for layer in self.model.layers:
            x = layer(x, cosine, sine, mask)
        head = self.model.embed_tokens if self.config.tie_word_embeddings else self.lm_head
        return functional.linear(self.model.norm(x), head.weight)


def document_mask(document_ids: Tensor) -> Tensor:
    """(B, T) document ids -> (B, 1, T, T) booleans: query t may see key s <= t of the same document."""
    same = document_ids[:, None, :, None] == document_ids[:, None, None, :]
    return same.tril()
