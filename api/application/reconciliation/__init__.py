"""Reconciles the ledger with TringMe's statement: records that agree, differ, or are missing on a side."""
