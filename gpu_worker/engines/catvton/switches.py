"""Optimisations that can be switched on. Each has an equality test and a decision record.

Data only. `denoiser.py` (the network's form) and `passes.py` (how it is run) implement them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Switches:
    """`fused_qkv`: one matrix product instead of three in attention. `channels_last`: the memory
    layout that suits tensor cores. `compiled`: torch.compile. `graphs`: CUDA graphs."""

    fused_qkv: bool = False
    channels_last: bool = False
    compiled: bool = False
    graphs: bool = False

    @classmethod
    def of(cls, words: Sequence[str]) -> Switches:
        """From names. Raises ValueError on an unknown one."""
        unknown = set(words) - set(SWITCHES)
        if unknown:
            raise ValueError(f"no switch is called {sorted(unknown)[0]!r}")
        return cls(**dict.fromkeys(words, True))

    @property
    def is_padded(self) -> bool:
        """Whether batches are padded to a few fixed sizes."""
        return self.compiled or self.graphs


SWITCHES = tuple(field.name for field in fields(Switches))
