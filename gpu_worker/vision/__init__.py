"""Computer vision: decodes pictures, reads bodies and garments in them, makes the engines' masks.

Knows no queue and no store.
"""
