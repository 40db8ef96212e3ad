"""Reconciling the ledger with what TringMe says that it charged: which records agree, which differ, which are missing."""
