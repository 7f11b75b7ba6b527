"""Whether norms are measured under mixed precision."""

from __future__ import annotations

from gradreach.doctor.check import Check, Diagnosis
from gradreach.facts.statistics import known
from gradreach.facts.wording import figure


def mixed_precision() -> Diagnosis:
    """Autocast to bfloat16 on the CPU, and to float16 with a loss scaler on CUDA."""
    import torch

    from gradreach.doctor.trial import train

    told = []
    for device, dtype in (("cpu", torch.bfloat16), *([("cuda", torch.float16)] if torch.cuda.is_available() else [])):
        record = train(watched=True, device=device, dtype=dtype).record
        assert record is not None
        name = f"{str(dtype).removeprefix('torch.')} on {device}"
        if not known(step.norm for step in record.steps):  # the first may overflow: its scale is a guess
            return Diagnosis("error", f"{name}: no finite norm was measured", "report this")
        scale = max(step.scale for step in record.steps)
        told.append(f"{name}{f', loss scale {figure(scale)} divided out' if scale != 1 else ''}")
    return Diagnosis("ok", "; ".join(told))


CHECK = Check("AMP", 8, mixed_precision, needs_torch=True)
