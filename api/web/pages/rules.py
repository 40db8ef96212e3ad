"""The rules by which a notice found its call (SPEC 6), each as a sentence for whoever asks why it is here."""

RULES = {
    1: "This CDR was just what the call still lacked: the first call of the line, near in time, that awaited such a one.",
    2: "All six durations and charges equal those of the CDR that this call has, which is near: it repeats it, and is not billed.",
    3: "No call of the line awaited this CDR; it went to the one that began last, which had none yet and was not too long silent.",
    4: "No call of the line could take this CDR, so it opened a call of its own.",
    5: "The call of the line that began last was near and lacked its opening: this is it.",
    6: "The call was answered already, and had neither outcome nor CDR: one phone does not answer twice at once, so this repeats it.",
    7: "No call of the line could take this opening, so it opened a new one.",
    8: "The call of the line that began last was near, or was still waiting to end or for its CDR: this is news of it.",
    9: "No call of the line could take this notice, so it opened one, which lacks its opening.",
}


def sentence(rule: int) -> str:
    """Return why a notice that a rule placed is where it is."""
    return RULES.get(rule, "")
