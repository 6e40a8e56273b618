"""What every room stands on: database, store, queue, nudges, errors.

Imports rows and settings only; knows no request and no page.
"""
