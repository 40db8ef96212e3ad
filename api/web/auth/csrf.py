"""A session's token for forms, written anew for each answer: compressed pages then tell nothing about it.

Who can watch how long a compressed page is, and put text of their own into it, could guess a token that always looks the
same, character by character (BREACH). So a page has a random mask and the masked token.
"""

import secrets

_HEX = 16


def mask_token(token: str) -> str:
    """Return a token (hexadecimal digits) behind a random mask; an empty one stays empty."""
    if not token:
        return ""
    mask = secrets.token_hex(len(token) // 2)
    return mask + _xor(mask, token)


def unmask_token(text: str) -> str:
    """Return the token of a masked one; an empty text for what is none."""
    half = len(text) // 2
    if not text or len(text) % 4 or set(text) - set("0123456789abcdef"):
        return ""
    return _xor(text[:half], text[half:])


def _xor(one: str, other: str) -> str:
    """Return the exclusive or of two numbers of equal length, in hexadecimal digits."""
    return f"{int(one, _HEX) ^ int(other, _HEX):0{len(one)}x}"
