"""Give out a copy of what the data set keeps."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

COPY_ROWS = Advice(
    id="copy-rows",
    does="what follows may then write into the row, and the next pass over the data begins from what they were",
    code=lambda: "return self.x[i].clone(), self.y[i].clone()  # in __getitem__ of the data set",
    answers=("GR609",),
    unfit="Where the labels are meant to change while the training runs.",
)
