"""The helper processes of the service, and their supervision."""
