"""Runs what README and how-tos tell of: keeps what stands on the terminal at the end, and pictures of the page.

    python docs/pictures.py [NAME...]

Each name of RUNS makes docs/pictures/NAME.txt; where its page is shown, NAME-light.png and NAME-dark.png beside it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from contextlib import chdir
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console

from gradreach.demo import DEMOS
from gradreach.record.store import read
from gradreach.report.report import Report
from gradreach.report.terminal import print_summary

DOCS = Path(__file__).parent
PICTURES = DOCS / "pictures"

SHARPNESS, COLOURS = 2, 64
"""Of a picture: image pixels to one of the page's, and colours."""


@dataclass(frozen=True)
class Run:
    """A script with its options; where its page is shown, the width and height of the window that shows its top."""

    script: Path
    options: tuple[str, ...] = ()
    page: tuple[int, int] | None = None
    called: str = ""

    @property
    def name(self) -> str:
        """What the script is called in the folder in which it is run."""
        return self.called or self.script.name


RUNS = {
    "first": Run(DEMOS["vanishing"].script, page=(1180, 690), called="train.py"),
    "lstm": Run(DOCS / "howto/forecast.py", page=(960, 730)),
    "lstm-after": Run(DOCS / "howto/forecast.py", ("--scaled",)),
    "nan": Run(DOCS / "howto/pairs.py", page=(960, 730)),
    "nan-after": Run(DOCS / "howto/pairs.py", ("--safe",)),
    "clip": Run(DOCS / "howto/prose.py", page=(960, 570)),
    "clip-after": Run(DOCS / "howto/prose.py", ("--clip", "0.53")),
    "window": Run(DOCS / "howto/stream.py", page=(960, 730)),
    "window-after": Run(DOCS / "howto/stream.py", ("--window", "32")),
}


def watch(name: str, folder: Path) -> Path:
    """Run what `name` stands for in `folder`; write what it printed and the last screen, and return its recording."""
    run = RUNS[name]
    shutil.copy(run.script, folder / run.name)
    out = Path("gradreach-out", name if name.endswith("-after") else Path(run.name).stem)
    command = [sys.executable, "-m", "gradreach", "run", "--quiet", "--out", str(out), run.name, *run.options]
    printed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    screen = StringIO()
    with chdir(folder):
        report = Report.of(read(out))
        print_summary(report.conclusions, Console(file=screen, width=80), str(out / "report.html"))
    rows = [row.rstrip() for row in f"{printed}{screen.getvalue()}".splitlines()]
    (folder / f"{name}.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / out


def photograph(browser: Any, page: Path, scheme: str, window: tuple[int, int]) -> bytes:
    """The top of a page, light or dark, as PNG."""
    size = dict(zip(("width", "height"), window, strict=True))
    view = browser.new_page(viewport=size, color_scheme=scheme, device_scale_factor=SHARPNESS)
    view.goto(page.as_uri())
    view.wait_for_selector("#lead canvas, #lead svg")
    taken = Image.open(BytesIO(view.screenshot())).convert("RGB")
    view.close()
    packed = BytesIO()
    taken.quantize(COLOURS, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
    return packed.getvalue()


def make(browser: Any, name: str, out: Path) -> None:
    """All that belongs to `name`, in the folder `out`."""
    with tempfile.TemporaryDirectory() as kept:
        recording = watch(name, Path(kept))
        shutil.copy(Path(kept, f"{name}.txt"), out)
        if window := RUNS[name].page:
            for scheme in ("light", "dark"):
                picture = photograph(browser, recording / "report.html", scheme, window)
                (out / f"{name}-{scheme}.png").write_bytes(picture)


def main() -> None:
    from playwright.sync_api import sync_playwright

    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name in sys.argv[1:] or RUNS:
            make(browser, name, PICTURES)
            print(name)


if __name__ == "__main__":
    main()
