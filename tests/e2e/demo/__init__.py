"""The demo: a made-up platform that calls a real service."""
