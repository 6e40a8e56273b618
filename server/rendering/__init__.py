"""Rows to HTML, JSON and words. Changes no row and answers no request."""
