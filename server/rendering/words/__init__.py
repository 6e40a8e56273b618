"""Every sentence the server says: of refusals, of reasons, to shoppers and to merchants.

Domain and infra speak codes. A sentence in a table is marked by `N_` and translated when it is
said; `language` alone asks Flask-Babel. Knows no row and no request.
"""
