"""Fills the registry of nouns (`infra/kinds`), with one entry per file.

App, steward and command line import this once. Entries only refer to functions of domain and
rendering; no logic of their own.
"""

from server.infra.kinds import KINDS
from server.nouns import garment, photo, try_on

KINDS.add(garment.KIND, photo.KIND, try_on.KIND)

__all__ = ["KINDS"]
