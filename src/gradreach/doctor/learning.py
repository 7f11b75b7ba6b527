"""Checks of torch, and of what gradreach does inside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from gradreach.doctor.check import Seen
from gradreach.doctor.process import Failed, TooSlow, answer_of
from gradreach.facts.statistics import known
from gradreach.facts.wording import count, figure

if TYPE_CHECKING:
    from gradreach.record.schema import Record

COMPILE_LIMIT = 60.0
"""Seconds after which the check gives up; a first compilation on a slow CPU takes half of that."""

GROUP_LIMIT = 30.0
CLOSE = 1e-4
"""Relative difference up to which gradients that follow from the replay are those of the script, in float32."""


def is_there() -> bool:
    """Whether torch can be imported at all."""
    return find_spec("torch") is not None


def without() -> Seen:
    """What stands for all of these checks where torch is missing."""
    return Seen(
        "error",
        "torch is not installed: recordings can be read (report, check, compare, explain), nothing can be watched",
        "pip install torch",
    )


def torch() -> Seen:
    """The version of torch, what it was built for, and its threads."""
    import torch

    built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    return Seen("ok", f"{torch.__version__}, built for {built}, {count(torch.get_num_threads(), 'thread')}")


def devices() -> Seen:
    """The accelerators that torch sees, each after a sum on it."""
    import torch

    names = [f"cuda:{n}" for n in range(torch.cuda.device_count())]
    names += ["mps"] if torch.backends.mps.is_available() else []
    for name in names:
        torch.ones(8, device=name).sum().item()
    if not names:
        return Seen("ok", "none but the CPU")
    told = [f"{name} {torch.cuda.get_device_name(name)}" if name != "mps" else name for name in names]
    return Seen("ok", ", ".join(told))


def hooks() -> Seen:
    """A tiny RNN trained twice, watched and not: what was seen of it, and whether its weights are the same."""
    import torch

    from gradreach.doctor.trial import STEPS, train

    plain, watched = train(watched=False), train(watched=True)
    assert watched.record is not None
    same = all(torch.equal(a, b) for a, b in zip(plain.weights, watched.weights, strict=True))
    missing = [*unseen(watched.record, STEPS), *([] if same else ["watching changed the weights"])]
    if missing:
        return Seen("error", "; ".join(missing), "report this, with the lines above")
    return Seen(
        "ok", f"{STEPS} backward passes, modules and exact reach seen; weights the same bit for bit, watched or not"
    )


def unseen(record: Record, steps: int) -> list[str]:
    """What should have been seen of a run of the tiny RNN, and was not."""
    time = [seen for look in record.looks for seen in look.time]
    exact = [seen for seen in time if seen.exact and seen.gradient_error is not None and seen.gradient_error < CLOSE]
    measured = sum(step.norm is not None for step in record.steps)
    told = {
        f"{len(record.steps)} of {steps} backward passes seen": len(record.steps) == steps,
        f"{measured} of {steps} norms measured": measured == steps,
        "no module's forward pass seen": any(look.depth for look in record.looks),
        "no exact reach of the recurrent layer": bool(exact),
    }
    return [text for text, sound in told.items() if not sound]


def compiling() -> Seen:
    """Whether torch.compile works here, and what is seen of what it compiles."""
    try:
        seen = answer_of("gradreach.doctor.compiling", COMPILE_LIMIT)
    except TooSlow as error:
        return Seen("warning", f"skipped: {error}", "nothing, unless you use torch.compile")
    except Failed as error:
        return Seen(
            "warning", f"does not work here: {error}", "nothing, unless you use torch.compile; it needs a C++ compiler"
        )
    if seen["seen"] != seen["steps"] or seen["norms"] != seen["steps"]:
        return Seen("error", f"works, but {seen['seen']} of {seen['steps']} backward passes were seen", "report this")
    inside = f"weights of {count(seen['modules'], 'module')}" if seen["modules"] else "nothing of the modules inside"
    return Seen("ok", f"works; of compiled code every backward pass and norm is seen, {inside}, no reach")


def mixed_precision() -> Seen:
    """Autocast to bfloat16 on the CPU, and to float16 with a loss scaler on CUDA."""
    import torch

    from gradreach.doctor.trial import train

    told = []
    for device, dtype in (("cpu", torch.bfloat16), *([("cuda", torch.float16)] if torch.cuda.is_available() else [])):
        record = train(watched=True, device=device, dtype=dtype).record
        assert record is not None
        name = f"{str(dtype).removeprefix('torch.')} on {device}"
        if not known(step.norm for step in record.steps):  # the first may overflow: its scale is a guess
            return Seen("error", f"{name}: no finite norm was measured", "report this")
        scale = max(step.scale for step in record.steps)
        told.append(f"{name}{f', loss scale {figure(scale)} divided out' if scale != 1 else ''}")
    return Seen("ok", "; ".join(told))


def distributed(environment: Mapping[str, str] = os.environ) -> Seen:
    """The back ends, this process's rank if it has one, and a gloo group of one."""
    import torch.distributed as dist

    if not dist.is_available():
        return Seen("warning", "this torch is built without it", "nothing, unless you train on several devices")
    there = {"gloo": dist.is_gloo_available(), "nccl": dist.is_nccl_available(), "mpi": dist.is_mpi_available()}
    text = f"back ends {', '.join(name for name, has in there.items() if has) or 'none'}"
    if "RANK" in environment or "WORLD_SIZE" in environment:
        text += f"; rank {environment.get('RANK', '?')} of {environment.get('WORLD_SIZE', '?')}"
    if not there["gloo"]:
        return Seen("ok", text)
    try:
        answer = answer_of("gradreach.doctor.grouping", GROUP_LIMIT)
    except (TooSlow, Failed) as error:
        return Seen(
            "warning", f"{text}; a gloo group of one fails: {error}", "set GLOO_SOCKET_IFNAME to a network interface"
        )
    if answer["sum"] != 3.0:
        return Seen("error", f"{text}; a gloo group of one sums wrongly: {answer['sum']}", "install torch anew")
    return Seen("ok", f"{text}; a gloo group of one works")
