"""Whether a backward pass adds on to the gradient of the pass before it, or begins a new step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradreach.engine.norms import each_norm, to_host
from gradreach.watch.backward_sites import CANARY, BackwardSites
from gradreach.watch.own_work import OwnWork
from gradreach.watch.tensors import is_dense_and_real, is_measurable

MODELS = 4
"""Sets of parameters that one line trains in turn, as a helper that is called for several models does."""

MOST_PASSES = 64
"""Passes of an update, if there was none before of a quarter as many, after which none is waited for any more."""

COPIES = 3
"""Parameters whose values are compared where torch's counts of changes may not tell of an update."""

PROVEN = 16
"""Ends of updates that those counts have shown, from which on they are believed to show all."""

Mark = tuple[Tensor, int, int, int]
"""A parameter, its gradient's identity, and how often torch had counted a change of the gradient and of the values."""

Copy = tuple[Mark, Tensor, Tensor]
"""A mark, with the parameter's values and those of its gradient."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of a line that are asked for an update, when it was last seen to train `trained`."""

    trained: tuple[Tensor, ...]
    parameters: tuple[Tensor, ...]


class Accumulation:
    """Remembers at the end of a pass how its parameters and their gradients stand, and compares before the next one.

    An update is over where any weight has moved, or any gradient was cleared: made None, or 0 in place. A gradient that
    was clipped or scaled stands there still. Torch counts each change in place; what a script does by `.data` it does
    not count, so that until an update has shown in the counts, values are compared as well. Two parameters of each
    model are asked, once it is known which of them updates change. A pass adds on where some gradient that stood there
    has changed by its end. Where the script is given the gradients, and the parameters hold none (`sites.given`), their
    values alone tell: until they move, each pass adds on. `passes` counts those of the update under way, `lines` are
    the sites that they came from.

    Before the first end of an update nothing tells that there will be any: until then `is_known` is False, and nobody
    is told that a pass stands on the one before.
    """

    def __init__(self, sites: BackwardSites, own_work: OwnWork) -> None:
        self.passes = 0
        self.lines: list[int] = []
        self.is_known = False
        self._sites = sites
        self._own_work = own_work
        self._marks: list[Mark] = []
        self._copies: list[Copy] = []
        self._asked: dict[int, Asked] = {}
        self._longest = 1
        self._shown = 0
        self._is_hidden = False
        self._is_given = False
        self._trained: dict[int, tuple[Tensor, ...]] = {}

    def stands(self) -> bool:
        """Whether the gradient of the pass before stands there still, and no weight has moved by it."""
        for mark in self._marks:
            if self._is_over(mark):
                self._ended()
                return False
        if self._copies and self._moved_unseen():
            self.is_known, self._marks = True, []
        return self.is_known and bool(self._marks) and self.passes < max(MOST_PASSES, 4 * self._longest)

    def stands_on(self, parameters: Sequence[Tensor]) -> bool:
        """Whether a pass whose update is still to come trains some of these."""
        trained = {id(p) for site in self.lines for p in self._trained[site]}
        is_open = bool(self._marks) and not any(map(self._is_over, self._marks))
        return is_open and not trained.isdisjoint(map(id, parameters))

    def adds_on(self, site: int) -> bool:
        """Whether the pass from this site that has just ended added on to the gradient that stood there before it."""
        is_too_long = self.is_known and self.passes >= max(MOST_PASSES, 4 * self._longest)
        adds_on = bool(self._marks) and not is_too_long and self._reaches_more(site)
        if not adds_on:
            self._longest = max(self._longest, self.passes)
            self.passes, self.lines = 1, [site]
        else:
            self.passes += 1
            if site not in self.lines:
                self.lines.append(site)
            if self.passes > self._longest:  # those that are asked may have been frozen since
                self._asked.pop(site, None)
        self._mark(site)
        return adds_on

    def _reaches_more(self, site: int) -> bool:
        """Whether the pass changed a gradient that stood there, or has given one more of the same parameters."""
        if not self._is_given:
            return any(map(_has_new_gradient, self._marks))
        trained = {id(parameter) for parameter in self._sites.parameters(site)}
        return any(id(parameter) in trained for parameter, *_ in self._marks)

    def _mark(self, site: int) -> None:
        self._is_given = site in self._sites.given
        trained, asked = self._sites.parameters(site), self._asked.get(site)
        self._trained[site] = trained
        self._marks = [] if asked is None else _marks(asked.parameters)
        if asked is None or asked.trained is not trained or not self._marks:
            known = () if asked is None else asked.parameters
            self._marks = _marks({id(p): p for p in (*known, *trained)}.values())
        self._copies = []
        if self._is_hidden or self._shown < PROVEN:
            with self._own_work:
                self._copies = _copies(self._marks)

    def _is_over(self, mark: Mark) -> bool:
        parameter, identity, counted, moved = mark
        gradient = parameter.grad
        if parameter._version != moved or (gradient is None and not self._is_given):
            return True
        if self._is_given or gradient is None:
            return False
        if gradient._version == counted and id(gradient) == identity:
            return False
        with self._own_work:
            return not is_measurable(gradient) or not to_host(each_norm([gradient]))[0]
        return True

    def _ended(self) -> None:
        """An update is over: the first and the last parameter that it changed will show the next ones."""
        for site in self.lines:
            trained, asked = self._trained[site], self._asked.get(site)
            if asked is None or asked.trained is not trained:
                over = [mark[0] for mark in self._marks if self._is_over(mark)]
                known = () if asked is None else asked.parameters[-2 * (MODELS - 1) :]
                self._asked[site] = Asked(trained, (*known, over[0], over[-1]))
        if self._shown < PROVEN:
            has_moved = any(parameter._version != moved for parameter, _, _, moved in self._marks)
            self._shown += PROVEN if has_moved else 1
        self.is_known, self._marks = True, []

    def _moved_unseen(self) -> bool:
        """Whether values differ although nothing was counted."""
        differs = False
        with self._own_work:
            differs = not all(_is_as_it_was(copy, is_given=self._is_given) for copy in self._copies)
        self._is_hidden = self._is_hidden or differs
        return differs


def _marks(parameters: Iterable[Tensor]) -> list[Mark]:
    return [(p, id(grad), grad._version, p._version) for p in parameters if (grad := p.grad) is not None]


def _has_new_gradient(mark: Mark) -> bool:
    parameter, identity, counted, _ = mark
    gradient = parameter.grad
    return gradient is not None and (id(gradient) != identity or gradient._version != counted)


def _copies(marks: Sequence[Mark]) -> list[Copy]:
    """Of the parameters whose values are quickly compared some, spread over all."""
    cheap = [mark for mark in marks if mark[0].numel() <= CANARY and is_dense_and_real(mark[0])]
    some = [(mark, mark[0].grad) for mark in cheap[:: max(1, len(cheap) // COPIES)]]
    return [
        (mark, mark[0].detach().clone(), gradient.detach().clone())
        for mark, gradient in some
        if gradient is not None and is_dense_and_real(gradient)
    ]


def _is_as_it_was(copy: Copy, *, is_given: bool) -> bool:
    mark, values, gradient = copy
    parameter, now = mark[0], mark[0].grad
    was_cleared = now is None or (not _has_new_gradient(mark) and not torch.equal(now, gradient))
    return torch.equal(parameter, values) and (is_given or not was_cleared)
