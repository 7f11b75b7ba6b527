"""The lines of the script that call backward, and the parameters that each of them trains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import CodeType, FrameType

from torch import Tensor, nn

from gradreach.record.entries import SiteEntry
from gradreach.record.sinks.sink import Sink
from gradreach.watch.frames import line_of
from gradreach.watch.graph import trainable
from gradreach.watch.models import parameters_of
from gradreach.watch.tensors import is_measurable

CANARY = 16_384
"""The largest gradient that is summed at every step, in some 5 µs, to see whether the pass broke."""


class BackwardSites:
    """Numbers the sites in the order in which they are met; `only` restricts the parameters to one model's. At those
    that are `given` the script is given the gradients by `torch.autograd.grad`, for these parameters by identity, and
    puts them to use itself."""

    def __init__(self, sink: Sink, only: nn.Module | None) -> None:
        self.given: dict[int, tuple[int, ...]] = {}
        self._sink = sink
        self._only = only
        self._numbers: dict[tuple[object, int], int] = {}
        self._parameters: dict[int, tuple[Tensor, ...]] = {}
        self._idle: dict[int, frozenset[int]] = {}
        self._norms: dict[int, float] = {}
        self._canaries: dict[int, Tensor | None] = {}

    def number(self, frame: FrameType | None) -> int:
        """A site's number. A site is one code object and line."""
        return self.number_of(frame.f_code, frame.f_lineno) if frame is not None else self.number_of(None, 0)

    def number_of(self, code: CodeType | None, line: int) -> int:
        """The number of the site at this line of a code object."""
        key = code, line
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers)
            self._sink.write(SiteEntry("unknown" if code is None else line_of(code.co_filename, line)))
        return self._numbers[key]

    def is_new(self, site: int) -> bool:
        """Whether its parameters are still to be learned."""
        return site not in self._parameters

    def learn(self, site: int, leaves: Sequence[Tensor]) -> None:
        """Take the parameters among the leaves of a graph that a backward pass from this site walks."""
        mine = None if self._only is None else {id(parameter) for parameter in parameters_of(self._only)}
        idle = frozenset() if site in self.given else self._idle.get(site, frozenset())
        asked = self.given.get(site)
        asked_for = leaves if asked is None else [leaf for leaf in leaves if id(leaf) in asked]
        measured = (p for p in trainable(asked_for) if is_measurable(p))
        chosen = (p for p in measured if id(p) not in idle and (mine is None or id(p) in mine))
        self._take(site, chosen)

    def gives(self, site: int, parameters: Sequence[Tensor]) -> None:
        """The script is given the gradients of these parameters at this site."""
        asked = tuple(map(id, parameters))
        if self.given.get(site) != asked:
            self.given[site] = asked
            self.learn(site, parameters)

    def leave_out(self, site: int, idle: frozenset[int]) -> None:
        """Parameters (by identity) that this site's gradient passes through but does not train."""
        if site in self.given:  # it is given the gradients of these very parameters, and of no others
            return
        self._idle[site] = idle
        self._take(site, (p for p in self._parameters.get(site, ()) if id(p) not in idle))

    def check(self, site: int, norm: float) -> None:
        """The very norm of the pass before means gradients left untouched: the site trains others by now."""
        if self._norms.get(site) == norm:
            for known in (self._parameters, self._canaries, self._idle):
                known.pop(site, None)
        self._norms[site] = norm

    def canary(self, site: int) -> Tensor | None:
        """The gradient that a break on the way back reaches, at little cost: the farthest one that is not large.

        Of the first layer that is its matrix, and an infinity among the inputs reaches the gradient of that alone.
        """
        chosen = self._canaries.get(site)
        return None if chosen is None else chosen.grad

    def parameters(self, site: int) -> tuple[Tensor, ...]:
        """What the site trains, as far as it is known; the same object until it trains others."""
        return self._parameters.get(site, ())

    def gradients(self, sites: Sequence[int]) -> list[Tensor]:
        """The gradients of what these sites train, as they stand."""
        trained = {id(p): p for site in sites for p in self.parameters(site)}
        return [p.grad for p in trained.values() if p.grad is not None]

    def _take(self, site: int, parameters: Iterable[Tensor]) -> None:
        taken, known = tuple(parameters), self.parameters(site)
        if len(taken) == len(known) and all(one is other for one, other in zip(taken, known, strict=True)):
            return
        self._parameters[site] = taken
        farthest = self._parameters[site][-4:]
        cheap = [p for p in farthest if p.numel() <= CANARY]
        self._canaries[site] = cheap[-1] if cheap else min(farthest, key=Tensor.numel, default=None)
