"""The JSON API under ``/api/v1``: one list of operations that read their parameters, answer, and describe themselves."""
