"""What the service tells Prometheus of itself and of its ledger."""
