"""Renders rows as HTML and JSON, and has all sentences. Changes no rows, answers no requests."""
