"""Use cases: what commands, pages and the JSON API have in common; neither Starlette nor click."""
