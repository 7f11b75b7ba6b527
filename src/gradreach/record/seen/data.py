"""What was seen of the script's own data on one watched step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class GivenData:
    """How large the script's own data are that one layer with weights was given on one watched step.

    `rms` is that of all values, `largest` and `middle` are the largest and the median rms of its `features`.
    `apart_in` is the deviation from row to row of the data, `apart_out` that of what the layer made of them, each over
    its rms; None where there are too few rows.
    `largest_row` is the largest rms of a row that the loss reads, `middle_row` the median one of all rows that are not
    0: of the vectors that a linear layer is given, of the entries of a batch for others. They are None where there are
    too few rows, where their axis is not known, and where the layer is not trained or does more than weigh and add.
    """

    module: str
    kind: str
    rms: float
    largest: float
    middle: float
    features: int
    apart_in: float | None = None
    apart_out: float | None = None
    largest_row: float | None = None
    middle_row: float | None = None


ReadAlong = Literal["steps", "entries", "other"]
"""How the rows of a loss read a layer: row i reads what the layer put out at its step i; what it put out for its entry
i; in another way."""


@dataclass(frozen=True, slots=True)
class RowReading:
    """How the rows of the loss read the last layer that goes through sequences, on one watched step.

    The layer was told `batch_first` or not, and so went over `steps` steps of each of `entries` sequences. The loss has
    `rows` rows, each of which reads `read` entries. `scrambled` says that a view exchanged the first two axes of what
    the layer takes in, so that its entries are made of pieces of several. `one_each` says that a module put out just
    one value, or one vector, for each of the rows.
    """

    module: str
    kind: str
    batch_first: bool
    steps: int
    entries: int
    rows: int
    along: ReadAlong
    read: int
    scrambled: bool
    one_each: bool


@dataclass(frozen=True, slots=True)
class MixedByView:
    """A view in the forward of `module` that mixes the rows of a batch of `entries`, on one watched step.

    `before` and `behind` are the modules nearest to it on either side, by path and kind. The value before is of
    `shape_in`, and row j along its axis `axis_in` is computed from row j of the data alone; that behind is of
    `shape_out`, and a row of the loss reads its own place along axis `axis_out` alone. Of `asked` rows of the loss
    `own` read their own row of the value before, and each reads `read` other ones at most.
    """

    module: str
    kind: str
    before: str
    before_kind: str
    behind: str
    behind_kind: str
    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]
    axis_in: int
    axis_out: int
    entries: int
    asked: int
    own: int
    read: int


@dataclass(frozen=True, slots=True)
class SoftmaxAxis:
    """A softmax in the forward of `module`, over an axis of its `shape` that is as long as the batch or a multiple.

    `over_rows` says that it is the axis of the rows: each place along it is computed from rows of its own, and through
    the softmax a row of the loss reads several.
    """

    operation: str
    module: str
    kind: str
    shape: tuple[int, ...]
    axis: int
    over_rows: bool


@dataclass(frozen=True, slots=True)
class Padding:
    """Padding in the data of one recurrence of T steps on one watched step: one value at an end of the rows.

    It stands at their end, or else `at_end` is False and it stands at their start. `rows` is the share of the rows that
    have any, `share` that of all steps, `median` its median length in these rows.
    """

    module: str
    T: int
    at_end: bool
    rows: float
    share: float
    median: float


@dataclass(frozen=True, slots=True)
class InvertedMask:
    """An attention in `module` that attends to padding alone on one watched step, and ignores what holds data.

    Its keys are `steps` places of each of `entries` sequences, of which the share `padded` is padding. `may_be_meant`
    says that it has as many queries and that another attention ignores just the padding: so places that are to be
    filled in look at one another, and elsewhere at the data.
    """

    module: str
    kind: str
    entries: int
    steps: int
    padded: float
    may_be_meant: bool = False


@dataclass(frozen=True, slots=True)
class AddedMask:
    """A mask of two values that hardly differ, added to the scores of an attention in `module` on one watched step.

    It adds `attended` where data stand, or the past, and `masked` at the other of its `keys` places. `is_future` says
    that these are all that come after each place; `at_each_place` that the loss has a target for each of them.
    """

    module: str
    kind: str
    keys: int
    attended: float
    masked: float
    is_future: bool = False
    at_each_place: bool = False


@dataclass(frozen=True, slots=True)
class IdleMask:
    """A softmax in `module` over scores that were filled at masked places, on one watched step, and weighs them still.

    It has `queries` rows of `keys` places. In rows that the loss reads at masked places, one of these gets `ratio` of
    what an open one gets, at the median, and all of them the `share` of the weight, at the mean; in the part `above` of
    these rows one gets more than the least of the open ones. `is_future` says that the mask is of all that comes after
    each place; `at_each_place` that the loss has a target for each of them.
    """

    module: str
    kind: str
    queries: int
    keys: int
    ratio: float
    share: float
    above: float = 0.0
    is_future: bool = False
    at_each_place: bool = False


@dataclass(frozen=True, slots=True)
class CountedRows:
    """A code that counts the rows of the batch, joined to sequences of features in `module` on one watched step.

    It is the first `rows` of the `table_rows` of `table`, whose name is empty where it is not known, one for each place
    along `axis` and the same at all `places` along the other one. What the loss reads of it is of one row alone, and of
    several places. `is_added` says that it is added and not laid beside the features, `of_ids` that these are looked up
    by ids, `looks_up` that the code is too.
    """

    module: str
    kind: str
    table: str
    table_rows: int
    rows: int
    places: int
    axis: int
    is_added: bool
    of_ids: bool
    looks_up: bool
