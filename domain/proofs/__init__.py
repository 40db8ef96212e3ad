"""Proofs that a ledger's events stand in its log unchanged: a Merkle tree over the events, and signed roots of it.

Everything here is pure: bytes in, bytes or a refusal out; no store, no network, no environment. The formats are those of
C2SP (tlog-tiles, tlog-checkpoint, tlog-proof, tlog-cosignature, signed-note) and RFC 6962, so that other programs can check
them too.
"""
