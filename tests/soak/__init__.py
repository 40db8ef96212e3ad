"""A machine that tries to break the ledger: `make soak`."""
