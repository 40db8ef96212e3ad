"""One call's page: its life drawn, its events as they came, its state at any moment, and why each notice is here."""
