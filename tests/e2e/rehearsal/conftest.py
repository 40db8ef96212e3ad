"""What every test of the outside starts from."""

from tests.support.api_fixtures import bare_environment, store

__all__ = ["bare_environment", "store"]
