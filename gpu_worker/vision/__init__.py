"""What a picture shows: decoding, body, garment, and the masks that engines draw by.

Knows no queue and no store.
"""
