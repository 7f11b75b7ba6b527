"""`python -m gradreach.doctor.compiled_training`: it trains a compiled model under watch and tells what was seen."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path


def main() -> None:
    """Print as JSON how many backward passes, norms and modules were seen."""
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # no workers that outlive a time limit
    import torch

    from gradreach.observing import observe

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    steps = 3
    with tempfile.TemporaryDirectory(prefix="gradreach-doctor-") as folder:
        with observe(model, every=1, out=Path(folder) / "record") as watch:
            compiled = torch.compile(model)
            for _ in range(steps):
                compiled(torch.ones(2, 4)).square().mean().backward()
        record = watch.record()
    norms = sum(step.norm is not None for step in record.steps)
    modules = max((sum(layer.calls > 0 for layer in look.depth) for look in record.looks), default=0)
    print(json.dumps({"steps": steps, "seen": len(record.steps), "norms": norms, "modules": modules}))


if __name__ == "__main__":
    main()
