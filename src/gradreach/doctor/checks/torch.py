"""The version of torch, or that it is missing."""

from __future__ import annotations

from gradreach.doctor.check import Check, Diagnosis, torch_is_installed
from gradreach.facts.wording import count


def torch() -> Diagnosis:
    """The version of torch, what it was built for, and its threads."""
    if not torch_is_installed():
        return Diagnosis(
            "error",
            "torch is not installed: recordings can be read (report, check, compare, explain), nothing can be watched",
            "pip install torch",
        )
    import torch

    built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    return Diagnosis("ok", f"{torch.__version__}, built for {built}, {count(torch.get_num_threads(), 'thread')}")


CHECK = Check("torch", 4, torch)
