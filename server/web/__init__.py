"""One folder per kind of caller: each speaks its protocol, none knows another."""
