"""The JSON API under ``/api/v1``: one table of operations reads the parameters, answers, and describes itself."""
