"""The JSON schemas of the report and of a comparison, drawn from the types of their fields.

`python -m gradreach.report.json_schema FOLDER` writes them there.
"""

from __future__ import annotations

import json
import sys
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec

from gradreach.report.compare.fields import ComparisonFields
from gradreach.report.fields.report import ReportFields

FORMS: dict[str, tuple[type, str]] = {
    "report": (
        ReportFields,
        "What was seen of one training run, and what the rules make of it: `gradreach report DIR --format json`, "
        "`gradreach run --json FILE`. Norms are 2-norms of gradients already divided by the loss scale; times are "
        "seconds; steps are updates, counted from 0; lags count steps back from 0. A figure that was not measured or "
        "is not finite is null, never 0.",
    ),
    "compare": (
        ComparisonFields,
        "What changed from run A to run B: `gradreach compare A B --format json`. A figure that was not measured or is "
        "not finite is null, never 0.",
    ),
}


def schema(form: str) -> dict[str, Any]:
    """The schema of "report" or "compare", as JSON Schema 2020-12."""
    fields, description = FORMS[form]
    drawn = _with_clean_descriptions(msgspec.json.schema(fields))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:gradreach:{form}:1",
        "title": f"gradreach {form}",
        "description": description,
        **drawn,
    }


def _with_clean_descriptions(part: Any) -> Any:
    """`part` with each docstring's indentation taken out: some versions of msgspec leave it in."""
    if isinstance(part, list):
        return [_with_clean_descriptions(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        name: cleandoc(item) if name == "description" and isinstance(item, str) else _with_clean_descriptions(item)
        for name, item in part.items()
    }


def main(folder: str) -> None:
    """Write every schema to `folder`."""
    for form in FORMS:
        text = json.dumps(schema(form), indent=1, ensure_ascii=False)
        Path(folder, f"{form}.schema.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
