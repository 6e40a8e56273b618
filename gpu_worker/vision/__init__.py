"""Computer vision without trained weights of our own: decoding, body, garment, and engines' masks.

Knows no queue and no store.
"""
