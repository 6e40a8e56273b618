"""One module per noun, the only place that changes rows on a request.

Knows no request and no page.
"""
