"""Building read models: catching up, rebuilding, comparing and certifying."""
