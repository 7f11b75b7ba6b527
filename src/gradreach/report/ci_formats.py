"""What a check found, in the forms that build servers read: GitHub's workflow commands and JUnit's XML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from gradreach.facts.wording import capital, local, printable
from gradreach.record.schema import Finding
from gradreach.report.conclusions import Conclusions
from gradreach.report.explanation import titled
from gradreach.report.finding_text import of_finding
from gradreach.rules.registry import RULES

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold (section 2.2, Char)."""


def as_github(conclusions: Conclusions, failing: Sequence[Finding]) -> list[str]:
    """A workflow command for each finding, at the line of the script where that lies in the repository."""
    return [_command(finding, conclusions.record.run.script) for finding in failing]


def as_junit(conclusions: Conclusions, failing: Sequence[Finding]) -> str:
    """One test case a rule, in ASCII: failed where a finding counts, skipped where there was nothing to judge by.

    The form is that of junit-10.xsd of Jenkins' xUnit plugin. Findings below the level stand as output of their case.
    """
    cases = [_case(code, conclusions, failing) for code in RULES]
    run, spent = conclusions.record.run, conclusions.facts.seconds
    totals = {
        "name": "gradreach",
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": "0",
    }
    suites = ElementTree.Element("testsuites", totals)
    more = {
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
        "time": f"{spent or 0.0:.3f}",
        "timestamp": _xml(run.started),
    }
    suite = ElementTree.SubElement(suites, "testsuite", totals | more)
    properties = ElementTree.SubElement(suite, "properties")
    told = (("script", run.script), ("argv", " ".join(run.argv)), ("torch", run.torch))
    for name, value in (*told, ("verdict", conclusions.verdict.sentence)):
        ElementTree.SubElement(properties, "property", name=name, value=_xml(local(value)))
    suite.extend(cases)
    ElementTree.indent(suites)
    written: bytes = ElementTree.tostring(suites, encoding="us-ascii", xml_declaration=True)
    return written.decode("ascii") + "\n"


def _command(finding: Finding, script: str) -> str:
    heading = f"{finding.code} {finding.title}"
    properties = {"title": heading, **_location(str(finding.where.get("site", "")), script)}
    given = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{_COMMANDS[finding.severity]} {given}::{_data(_told(finding))}"


def _told(finding: Finding) -> str:
    """Place and reason, and on lines of their own what to do."""
    remedies = (f"{remedy.do}  ({remedy.why})" for remedy in finding.remedies)
    return "\n".join([f"{of_finding(finding)}: {capital(finding.because)}", *remedies])


def _location(site: str, script: str) -> dict[str, str]:
    """File and line of a place that calls backward, or the script alone; nothing that is no file of the repository."""
    file, _, line = site.rpartition(":")
    if (path := _in_repository(file)) and line.isdecimal() and int(line) > 0:
        return {"file": path, "line": line}
    return {"file": path} if (path := _in_repository(script)) else {}


def _in_repository(name: str) -> str:
    """The path of a file relative to the root of the repository, or to the current folder where that is in none, with
    slashes; empty where it does not lie under it."""
    try:
        here, path = Path.cwd().resolve(), Path(name).resolve()
        root = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
        return path.relative_to(root).as_posix() if name and path.is_file() else ""
    except (OSError, ValueError):
        return ""


def _data(text: str) -> str:
    """The message of a workflow command, escaped as the runner's own toolkit does."""
    return printable(local(text)).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _case(code: str, conclusions: Conclusions, failing: Sequence[Finding]) -> ElementTree.Element:
    """The test case of one rule."""
    case = ElementTree.Element("testcase", classname="gradreach", name=titled(code), time="0")
    found = [finding for finding in conclusions.findings if finding.code == code]
    counted = [finding for finding in failing if finding.code == code]
    if counted:
        first, more = counted[0], len(counted) - 1
        message = f"{of_finding(first)}: {first.because}" + (f" (and {more} more)" if more else "")
        failure = ElementTree.SubElement(case, "failure", type=first.severity, message=_xml(local(message)))
        failure.text = _xml(local("\n\n".join(map(_told, counted))))
    elif why := _skipped(code, conclusions):
        ElementTree.SubElement(case, "skipped", message=_xml(local(why)))
    below = [finding for finding in found if finding not in counted]
    if below:
        output = ElementTree.SubElement(case, "system-out")
        output.text = _xml(local("\n\n".join(f"{finding.severity}: {_told(finding)}" for finding in below)))
    return case


def _skipped(code: str, conclusions: Conclusions) -> str:
    """Why a rule that found nothing was not judged; empty where it was."""
    if code in conclusions.passed or any(finding.code == code for finding in conclusions.findings):
        return ""
    return conclusions.not_judged.get(code, "left out by --ignore")


def _xml(text: str) -> str:
    """`text` without what XML cannot hold."""
    return _NO_XML.sub("?", text)
