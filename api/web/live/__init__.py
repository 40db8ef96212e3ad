"""The live page: calls in progress and just ended, pushed to every open page as they happen."""
