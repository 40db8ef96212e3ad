"""Proofs as an operator uses them: the log's key, its witnesses, proof files, bundles of bills, forks and copies."""
