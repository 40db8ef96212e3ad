"""What tests of files in deploy/ start from."""

from tests.support.api_fixtures import bare_environment, store

__all__ = ["bare_environment", "store"]
