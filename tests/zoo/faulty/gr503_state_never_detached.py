# expect: {"code": "GR503"}
"""A stream in chunks whose state is carried on with its graph, and weights moved by hand through `.data`."""

import torch
from torch import nn

torch.manual_seed(0)
lstm, head = nn.LSTM(2, 16, batch_first=True), nn.Linear(16, 1)
parameters = [*lstm.parameters(), *head.parameters()]
state = None
for _ in range(80):
    x = torch.randn(8, 6, 2)
    out, state = lstm(x, state)
    loss = nn.functional.mse_loss(head(out)[..., 0], x[..., 0] - x[..., 1])
    for parameter in parameters:
        parameter.grad = None
    loss.backward(retain_graph=True)
    for parameter in parameters:
        parameter.data -= 0.2 * parameter.grad
