"""How many bytes the loader costs a shop's page: `python -m tests.house.loader_size 4096`."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

LOADER = Path(__file__).parents[2] / "embed" / "proteus.js"


def gzipped_size_bytes(path: Path) -> int:
    return len(gzip.compress(path.read_bytes(), compresslevel=9, mtime=0))


def main(limit_bytes: int) -> int:
    size_bytes = gzipped_size_bytes(LOADER)
    print(f"{LOADER.name}: {size_bytes} bytes gzipped, limit {limit_bytes}")
    return int(size_bytes > limit_bytes)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
