"""What may be switched on to go faster. Each word has its equality test and its decision record.

Data only. What each does: `denoiser.py` (the network's form), `passes.py` (how it is run).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Switches:
    """`fused_qkv`: one matrix product where three were. `channels_last`: the network's
    convolutions in the layout tensor cores like. `compiled`: torch.compile. `graphs`: CUDA
    graphs."""

    fused_qkv: bool = False
    channels_last: bool = False
    compiled: bool = False
    graphs: bool = False

    @classmethod
    def of(cls, words: Sequence[str]) -> Switches:
        """Raises ValueError on a word that is none of ours."""
        unknown = set(words) - set(SWITCHES)
        if unknown:
            raise ValueError(f"no switch is called {sorted(unknown)[0]!r}")
        return cls(**dict.fromkeys(words, True))

    @property
    def is_padded(self) -> bool:
        """Whether forward passes come in few fixed sizes."""
        return self.compiled or self.graphs


SWITCHES = tuple(field.name for field in fields(Switches))
