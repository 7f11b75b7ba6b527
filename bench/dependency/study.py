"""Does the score test of `gr.dependency` hold its level, find what is there, lead to the right verdict, at what cost?

Progress goes to stderr, the tables as Markdown to stdout or between the marks of a page:
<!-- table: NAME --> … <!-- end -->. Figures go to a JSON file, in which parts that were not asked for stay as they are.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import sys
import time
from pathlib import Path
from typing import Any

import cost
import hard
import level
import nulls
import power
import torch
import verdicts
from work import Work

PARTS = {"nulls": nulls, "level": level, "hard": hard, "power": power, "verdict": verdicts, "cost": cost}


def machine() -> str:
    """Where and when the figures were measured."""
    return (
        f"{datetime.date.today().isoformat()}, {os.cpu_count()} processors ({platform.machine()}), one thread each, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


def markdown(rows: list[list[str]]) -> str:
    """The rows as a table, the first one as heads."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def filled(page: str, tables: dict[str, str]) -> str:
    """The page with every table between its marks. Raises ValueError where a table has no place."""
    for name, table in tables.items():
        marks = re.compile(rf"(<!-- table: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not marks.search(page):
            raise ValueError(
                f"the page has no place for {name!r}: add the lines <!-- table: {name} --> and <!-- end -->"
            )
        page = marks.sub(lambda found, table=table: f"{found[1]}\n{table}\n\n{found[2]}", page)
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--quick", action="store_true", help="under a minute: shows that all parts run, claims nothing")
    amount.add_argument("--full", action="store_true", help="200 repetitions of every single combination")
    parser.add_argument("--only", choices=(*PARTS, "page"), help="one part; page: none, only what --out holds")
    parser.add_argument("--filter", default="", metavar="TEXT", help="cells whose name holds TEXT")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the figures as JSON")
    parser.add_argument("--page", type=Path, metavar="FILE", help="the page whose tables are to be replaced")
    given = parser.parse_args()
    torch.set_num_threads(1)
    work = Work(given.quick, given.full, given.jobs, given.filter)
    figures: dict[str, Any] = json.loads(given.out.read_text()) if given.out and given.out.exists() else {}
    for name in [name for name in PARTS if given.only in (None, name)]:
        began = time.perf_counter()
        rows: list[dict[str, Any]] = []
        for row in PARTS[name].run(work):
            rows.append(row)
            figures[name] = {"measured": machine(), "seconds": time.perf_counter() - began, "rows": rows}
            if given.out:
                given.out.write_text(json.dumps(figures, indent=1, ensure_ascii=False), encoding="utf-8")
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    tables = {title: table for name, found in figures.items() for title, table in told(name, found).items()}
    if given.page:
        given.page.write_text(filled(given.page.read_text(encoding="utf-8"), tables), encoding="utf-8")
    else:
        print("\n\n".join(f"{name}\n\n{table}" for name, table in tables.items()))


def told(name: str, found: dict[str, Any]) -> dict[str, str]:
    """A part's tables, with when and where their figures were measured."""
    note = f"\n\nMeasured {found['measured']}, in {found['seconds'] / 60:.0f} min."
    return {title: markdown(table) + note for title, table in PARTS[name].tables(found["rows"]).items()}


if __name__ == "__main__":
    main()
