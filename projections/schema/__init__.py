"""The tables of the read models, once for both databases."""
