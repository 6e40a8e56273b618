"""The fetcher: downloads garments' pictures from merchants' own servers into the store.

Confined children (`child`, `download`) do the downloads; they know HTTP and nothing of ours. The
worker uses `courier` and `fetcher`. Nothing here decodes the bytes: the tailor does.
"""
