"""The nouns: an entry of the registry (`infra/kinds`) for each, in a file of its own.

Whoever reads the registry imports this once: app, steward and command line. Entries point at what
domain and rendering do; nothing is done here.
"""

from server.infra.kinds import KINDS
from server.nouns import garment, photo, try_on

KINDS.add(garment.KIND, photo.KIND, try_on.KIND)

__all__ = ["KINDS"]
