"""Analysis of a garment's picture: cut-out, outline and parts (sleeves, legs, neckline).

Shared by tailor and engines. Knows garments; no shopper's photo, no queue, no store. Lengths are in
units of the garment itself: `gw` and `gh`, its width and height, and `tw`, its torso's width.
"""

from gpu_worker.vision.cutout.garment import Garment, fits, read, read_garment
from gpu_worker.vision.cutout.ground import Cut, cut

__all__ = ["Cut", "Garment", "cut", "fits", "read", "read_garment"]
