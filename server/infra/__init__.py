"""Infrastructure for every other folder: database, object store, job queue, nudges, errors.

Imports models and settings only; must not know requests or pages.
"""
