"""The back ends of torch.distributed, and whether a group works."""

from __future__ import annotations

import os
from collections.abc import Mapping

from gradreach.doctor.check import Check, Diagnosis
from gradreach.doctor.process import NoAnswer, Timeout, answer_of

GROUP_LIMIT = 30.0
"""Seconds after which the check gives up."""


def distributed(environment: Mapping[str, str] = os.environ) -> Diagnosis:
    """The back ends, this process's rank if it has one, and a gloo group of one."""
    import torch.distributed as dist

    if not dist.is_available():
        return Diagnosis("warning", "this torch is built without it", "nothing, unless you train on several devices")
    there = {"gloo": dist.is_gloo_available(), "nccl": dist.is_nccl_available(), "mpi": dist.is_mpi_available()}
    text = f"back ends {', '.join(name for name, has in there.items() if has) or 'none'}"
    if "RANK" in environment or "WORLD_SIZE" in environment:
        text += f"; rank {environment.get('RANK', '?')} of {environment.get('WORLD_SIZE', '?')}"
    if not there["gloo"]:
        return Diagnosis("ok", text)
    try:
        answer = answer_of("gradreach.doctor.process_group", GROUP_LIMIT)
    except (Timeout, NoAnswer) as error:
        return Diagnosis(
            "warning", f"{text}; a gloo group of one fails: {error}", "set GLOO_SOCKET_IFNAME to a network interface"
        )
    if answer["sum"] != 3.0:
        return Diagnosis("error", f"{text}; a gloo group of one sums wrongly: {answer['sum']}", "install torch anew")
    return Diagnosis("ok", f"{text}; a gloo group of one works")


CHECK = Check("distributed", 9, distributed, needs_torch=True)
