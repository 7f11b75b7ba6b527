from collections.abc import Callable
from typing import TypeVar

from gradreach.experiments.claim import Claim

M = TypeVar("M")


def newly_failing(claims: Callable[[M], tuple[Claim, ...]], true: M, false: M) -> list[str]:
    """What claims say that hold of the true measurement and not of the false one."""
    return [after.says for before, after in zip(claims(true), claims(false), strict=True) if before.holds > after.holds]
