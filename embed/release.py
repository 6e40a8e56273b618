"""Freezes the present embed as an immutable release: `python -m embed.release 0.1.0`.

Knows the folder of releases and their digests; nothing of the server that serves them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
RELEASES = HERE / "releases"
VERSION = re.compile(r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$")


def integrity(path: Path) -> str:
    """The value for a page's `integrity` attribute (W3C Subresource Integrity)."""
    return "sha384-" + base64.b64encode(hashlib.sha384(path.read_bytes()).digest()).decode()


def released(releases: Path = RELEASES) -> dict[str, str]:
    """The digest of each release, oldest first."""
    listed = releases / "integrity.json"
    return dict(json.loads(listed.read_text())) if listed.is_file() else {}


def freeze(version: str, source: Path = HERE / "proteus.js", releases: Path = RELEASES) -> str:
    """Copies the source under its version and lists its digest, which is returned.

    Raises:
        ValueError: the version is malformed, or released already.
    """
    known = released(releases)
    if not VERSION.match(version):
        raise ValueError(f"{version!r} is not a version such as 0.1.0")
    if version in known or (releases / version).exists():
        raise ValueError(f"{version} is released already, and a release never changes")
    frozen = releases / version / "proteus.js"
    frozen.parent.mkdir(parents=True)
    frozen.write_bytes(source.read_bytes())
    known[version] = integrity(frozen)
    (releases / "integrity.json").write_text(json.dumps(known, indent=2) + "\n")
    return known[version]


def main(argv: list[str]) -> int:
    try:
        digest = freeze(argv[0] if argv else "")
    except ValueError as error:
        sys.stderr.write(f"release: {error}\n")
        return 2
    sys.stdout.write(f"{digest}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
