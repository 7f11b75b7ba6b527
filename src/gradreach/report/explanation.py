"""A rule's explanation in the order that people read it, for the terminal and for the page."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill

from gradreach.facts.wording import figure
from gradreach.rules.registry import RULES
from gradreach.rules.rule import Rule

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its paragraphs; where `formulas` each is one line of mathematics, where `items` one of a list."""

    heading: str
    paragraphs: tuple[str, ...]
    formulas: bool = False
    items: bool = False


def title(code: str) -> str:
    """What a rule looks for, in a few words; what is no rule's code stays as it is."""
    return RULES[code].title if code in RULES else code


def titled(code: str) -> str:
    """A rule's code with its title."""
    return f"{code} {RULES[code].title}" if code in RULES else code


def sections(rule: Rule) -> tuple[Section, ...]:
    """All that a rule has to say, empty parts left out."""
    text = rule.explain
    parts = (
        Section("What it is", (text.cause,)),
        Section("The mathematics", text.mathematics, formulas=True),
        Section("When it speaks", (text.thresholds,)),
        Section("Keys of [tool.gradreach.thresholds] that move it", _keys(rule), items=True),
        Section("What to do", text.remedies, items=True),
        Section("How to silence it", _silence(rule)),
        Section("References", text.references, items=True),
    )
    return tuple(part for part in parts if any(part.paragraphs))


def _keys(rule: Rule) -> tuple[str, ...]:
    """The keys of pyproject.toml that make a rule speak earlier or later."""
    return tuple(f"{each.key} = {figure(each.default)} ({each.range}): {each.meaning}" for each in rule.thresholds)


def _silence(rule: Rule) -> tuple[str, ...]:
    """When it is right to silence a rule, and the two ways to do so."""
    return (
        rule.explain.silence,
        f"On the command line: --ignore {rule.code}",
        f'In pyproject.toml, under [tool.gradreach]: ignore = ["{rule.code}"]',
    )


def as_text(rule: Rule) -> str:
    """The explanation in plain text, at most 100 columns wide."""
    head = f"{rule.code} {rule.title} ({' or '.join(rule.severities)})"
    return "\n\n".join([head, *(_section(section) for section in sections(rule))])


def _section(section: Section) -> str:
    bullet = "  - " if section.items else "    " if section.formulas else "  "
    lines = [
        fill(paragraph, WIDTH, initial_indent=bullet, subsequent_indent=" " * len(bullet), break_on_hyphens=False)
        for paragraph in section.paragraphs
    ]
    return "\n".join([section.heading, *lines])
