"""What a caller may ask of one picture, from the API to the engine, and which engine honours what.

An option that is accepted and ignored is a defect: the server refuses what the engine that would
draw does not honour. A test holds each engine's own `honours` against `HONOURED`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Named as on the wire. None: the engine's own default."""

    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    keep_head: bool = True
    redraw_hands: bool = True
    loose_mask: bool = True
    upscale: int = 1

    def asked(self) -> dict[str, int | float | bool | None]:
        """What differs from the defaults, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value != _DEFAULTS[name]}


_DEFAULTS = {field.name: field.default for field in fields(Options)}
OPTION_NAMES = frozenset(_DEFAULTS)

_STEPS = frozenset({"num_inference_steps", "guidance_scale"})
_MASK = frozenset({"keep_head", "redraw_hands", "loose_mask"})
HONOURED: Mapping[str, frozenset[str]] = {
    "catvton-inpaint": _STEPS | _MASK,
    "catvton-maskfree": _STEPS | _MASK,  # by the mask it is laid back within
    "null": frozenset({"num_inference_steps"}),
    "preview": frozenset(),
}


def not_honoured(engine: str, options: Options) -> list[str]:
    """The names of what is asked and the engine would ignore, sorted."""
    return sorted(options.asked().keys() - HONOURED.get(engine, frozenset()))
