"""The tailor: checks shoppers' photos and cleans garments' pictures, once each."""

from gpu_worker.tailor.orders import Fitted, GarmentOrder, PhotoOrder
from gpu_worker.tailor.tailor import Tailor

__all__ = ["Fitted", "GarmentOrder", "PhotoOrder", "Tailor"]
