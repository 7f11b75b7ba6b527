"""The accelerators that torch sees."""

from __future__ import annotations

from gradreach.doctor.check import Check, Diagnosis


def devices() -> Diagnosis:
    """The accelerators that torch sees, each after a sum on it."""
    import torch

    names = [f"cuda:{n}" for n in range(torch.cuda.device_count())]
    names += ["mps"] if torch.backends.mps.is_available() else []
    for name in names:
        torch.ones(8, device=name).sum().item()
    if not names:
        return Diagnosis("ok", "none but the CPU")
    told = [f"{name} {torch.cuda.get_device_name(name)}" if name != "mps" else name for name in names]
    return Diagnosis("ok", ", ".join(told))


CHECK = Check("devices", 5, devices, needs_torch=True)
