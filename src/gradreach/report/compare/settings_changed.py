"""In what the two runs were started and watched differently."""

from __future__ import annotations

from dataclasses import dataclass

from gradreach.facts.facts import Facts
from gradreach.facts.wording import figure, percent

_OPTIONS_LEFT_OUT = ("", "-")


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that differs between the runs, in words; empty on the side that has it not."""

    name: str
    a: str
    b: str


def differences(a: Facts, b: Facts) -> tuple[Setting, ...]:
    """What differs between the two runs, save their results."""
    pairs = [Setting(name, x, y) for (name, x), (_, y) in zip(_plain(a), _plain(b), strict=True)]
    words_a, words_b = _options(a.record.run.argv), _options(b.record.run.argv)
    named = dict.fromkeys([*words_a, *words_b])
    pairs += [Setting(name, words_a.get(name, ""), words_b.get(name, "")) for name in named]
    return tuple(each for each in pairs if each.a != each.b)


def _plain(facts: Facts) -> list[tuple[str, str]]:
    record = facts.record
    run, limit, overhead = record.run, facts.clipping.threshold, record.overhead
    return [
        ("script", run.script),
        ("models", ", ".join(f"{name}: {kind}" for name, kind in sorted(record.models.items()))),
        ("device", run.device),
        ("processes", str(run.world_size)),
        ("torch", run.torch),
        ("Python", run.python),
        ("clip threshold", "none" if limit is None else figure(limit, 6)),
        ("guard", "on" if record.guarded is not None else "off"),
        ("steps", f"{record.length:,}"),
        ("steps watched closely", percent(len(record.looks) / record.length) if record.length else "none"),
        ("norm taken", _norm_taken(overhead.norm_every) if overhead is not None else ""),
    ]


def _norm_taken(every: int) -> str:
    return "on every step" if every == 1 else f"every {every} steps"


def _options(argv: tuple[str, ...]) -> dict[str, str]:
    """The words of a command line by the option that they belong to; those before any by their place."""
    found: dict[str, list[str]] = {}
    option, places, closed = "", 0, False
    for word in argv:
        if not closed and word == "--":
            closed, option = True, ""
        elif not closed and _is_option(word):
            option, equals, value = word.partition("=")
            found.setdefault(option, []).append(value if equals else "")
        elif option and not closed:
            values = found[option]
            values[-1] = f"{values[-1]} {word}".strip()
        else:
            places += 1
            found[f"argument {places}"] = [word]
    return {name: ", ".join(value or "given" for value in values) for name, values in found.items()}


def _is_option(word: str) -> bool:
    """Whether a word names an option: what starts with a dash and is no number."""
    return word.startswith("-") and word not in _OPTIONS_LEFT_OUT and not word[1:2].isdecimal() and word[1:2] != "."
