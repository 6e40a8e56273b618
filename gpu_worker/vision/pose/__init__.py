"""Analysis of a shopper's photo: people, body landmarks, silhouette, skin, what is worn.

Shared by tailor and engines. Knows photos; no garments, no queue, no store.
"""

from gpu_worker.vision.pose.detect import Found, find_people
from gpu_worker.vision.pose.models import warm_up
from gpu_worker.vision.pose.photo import (
    Person,
    fits,
    people_boxes,
    person_of,
    read_person,
    read_photo,
)

__all__ = [
    "Found",
    "Person",
    "find_people",
    "fits",
    "people_boxes",
    "person_of",
    "read_person",
    "read_photo",
    "warm_up",
]
