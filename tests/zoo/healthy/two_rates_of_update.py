# expect: {"code": null}
"""One loss, two optimizers: the head steps after every pass, the body after each fourth, by the sum of four passes."""

import torch
from torch import nn

torch.manual_seed(0)
body, head = nn.Sequential(nn.Linear(10, 32), nn.Tanh()), nn.Linear(32, 3)
of_body = torch.optim.SGD(body.parameters(), 0.01)
of_head = torch.optim.SGD(head.parameters(), 0.05)
for step in range(400):
    x = torch.randn(32, 10)
    loss = nn.functional.cross_entropy(head(body(x)), x[:, :3].argmax(1))
    loss.backward()
    of_head.step()
    of_head.zero_grad()
    if step % 4 == 3:
        of_body.step()
        of_body.zero_grad()
