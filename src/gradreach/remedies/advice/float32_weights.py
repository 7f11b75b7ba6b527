"""Keep the weights in float32, and compute in half precision."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

FLOAT32_WEIGHTS = Advice(
    id="float32-weights",
    does="float32 keeps changes down to 6e-8 of a weight; autocast computes products in 16 bits all the same",
    code=lambda: (
        "model.float()  # before the optimizer is made\nwith torch.autocast(device, dtype=torch.bfloat16): ..."
    ),
    answers=("GR318", "GR319"),
    unfit="Where the memory for float32 weights is lacking.",
)
