"""A verdict in two parts: what heads a page, and the rest."""

from __future__ import annotations

from gradreach.facts.wording import capital


def headline(sentence: str) -> tuple[str, str]:
    """A verdict's first clause, and the rest of it with its own capital, unless that is a file's name; a name with a
    colon in it is not cut."""
    head, _, rest = sentence.partition(": ")
    if not rest or head.count("`") % 2:
        return sentence, ""
    return f"{head}.", rest if "." in rest.split()[0][:-1] else capital(rest)
