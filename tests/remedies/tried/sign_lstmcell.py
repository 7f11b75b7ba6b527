# try: {"code": "GR402", "loss": ["forget-bias", "chrono-start"]}
"""The sign of a pulse at the start of noise, told at its end by an LSTM cell in a loop, RMSprop"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(2)
T, B = 30, 64


class Sign(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(1, 24)
        self.head = nn.Linear(24, 1)

    def forward(self, x):
        state = None
        for t in range(T):
            state = self.cell(x[:, t], state)
        return self.head(state[0]).squeeze(1)


model = Sign()
# with forget-bias, chrono-start
optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-3)
with gr.observe(model, every=24) as watch:
    for _ in range(300):
        sign = 2.0 * torch.randint(2, (B,)) - 1
        x = 0.3 * torch.randn(B, T, 1)
        x[:, 0, 0] += 2 * sign
        loss = nn.functional.binary_cross_entropy_with_logits(model(x), (sign + 1) / 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
