"""The web: callbacks, pages and the JSON API, on Starlette."""
