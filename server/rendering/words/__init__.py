"""All sentences of the server: refusals, reasons, texts for shoppers and merchants.

Domain and infra use codes only. Sentences in tables are marked with `N_` and translated on use;
only `language` calls Flask-Babel. Must not know rows and requests.
"""
