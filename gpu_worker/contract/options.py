"""Generation parameters of one picture, from the API to the engine, and which engine honours which.

To accept an option and ignore it is a defect, so the server refuses those that the chosen engine
does not honour. A test compares each engine's own `honours` with `HONOURED`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a caller asked for; names as on the wire. None: the engine's own default."""

    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    keep_head: bool = True
    redraw_hands: bool = True
    loose_mask: bool = True
    upscale: int = 1

    def asked(self) -> dict[str, int | float | bool | None]:
        """The options that differ from their defaults, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value != _DEFAULTS[name]}


_DEFAULTS = {field.name: field.default for field in fields(Options)}
OPTION_NAMES = frozenset(_DEFAULTS)

_STEPS = frozenset({"num_inference_steps", "guidance_scale"})
_MASK = frozenset({"keep_head", "redraw_hands", "loose_mask"})
HONOURED: Mapping[str, frozenset[str]] = {
    "catvton-inpaint": _STEPS | _MASK,
    "catvton-maskfree": _STEPS | _MASK,  # the mask bounds what is pasted into the photo
    "null": frozenset({"num_inference_steps"}),
    "preview": frozenset(),
}


def not_honoured(engine: str, options: Options) -> list[str]:
    """The names of the options asked for that this engine would ignore, sorted."""
    return sorted(options.asked().keys() - HONOURED.get(engine, frozenset()))
