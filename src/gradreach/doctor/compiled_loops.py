"""The compiled loops of gr.nn, made ahead of the first training that needs them."""

from __future__ import annotations

import time

from gradreach.doctor.check import Check, Diagnosis


def compiled_loops() -> Diagnosis:
    """Compile the loops of every kind, or load them, and say how long it took and where they lie."""
    from gradreach.engine.compiled_scan import compile_all

    began = time.perf_counter()
    try:
        folder = compile_all()
    except ImportError as error:
        return Diagnosis(
            "warning",
            f"nothing was compiled, as numba cannot be imported ({error}); gr.nn trains with plain loops",
            "pip install 'gradreach[fast]'",
        )
    took = f"all compiled loops of gr.nn are ready in float32 and float64 after {time.perf_counter() - began:.1f} s"
    if folder is None:
        return Diagnosis("warning", f"{took}, for this process alone: no folder can be written", "set NUMBA_CACHE_DIR")
    return Diagnosis("ok", f"{took}; kept in {folder}")


COMPILED_LOOPS = Check("loops", 0, compiled_loops, needs_torch=True)
