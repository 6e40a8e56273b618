"""Isolation benchmark: what floods on one hostile site cost shoppers of three honest ones."""
