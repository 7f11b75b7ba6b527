"""A model of sequences whose places see nothing behind themselves."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code() -> str:
    return (
        "mask = nn.Transformer.generate_square_subsequent_mask(T)  # for attention: encoder(x, mask=mask)\n"
        "lstm = nn.LSTM(inputs, hidden, batch_first=True)  # not bidirectional"
    )


SEE_NOTHING_AHEAD = Advice(
    id="see-nothing-ahead",
    does="a place then knows what came before it alone, as it will when it is used",
    code=_code,
    answers=("GR605",),
    unfit="Where the whole sequence is known when the model is used, as for tags or for gaps to fill.",
)
