"""Business rules: one module or folder per noun, the only code that changes rows on a request.

Must not know Flask's request, HTML or JSON: a view translates.
"""
