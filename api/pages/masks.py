"""Until the door is there: numbers as those see them who may not see them whole."""

SHOWN_BEFORE, SHOWN_AFTER = 4, 4


def masked_number(number: str) -> str:
    """Hide the middle of a number."""
    if len(number) <= SHOWN_BEFORE + SHOWN_AFTER:
        return "•••"
    return f"{number[:SHOWN_BEFORE]}•••{number[-SHOWN_AFTER:]}"
