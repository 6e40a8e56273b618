"""What hostile strangers cost honest shoppers: one hostile site beside three honest ones."""
