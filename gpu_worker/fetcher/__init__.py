"""The fetcher: brings garments' pictures from merchants' own addresses into the store.

The bytes are got by confined children (`child`, `download`), which know HTTP and nothing of ours;
`courier` and `fetcher` are what the worker sees. What the bytes are is for the tailor to find out.
"""
