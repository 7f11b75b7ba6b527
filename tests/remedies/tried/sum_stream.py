# try: {"code": "GR104", "loss": ["longer-window"]}
"""The value of four steps ago on a stream of noise, by a GRU in chunks of three steps, RMSprop"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(1)
B, CHUNK, BACK, CHUNKS = 48, 3, 4, 210


class Delay(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 32)
        self.head = nn.Linear(32, 1)

    def forward(self, x, state=None):
        y, state = self.rnn(x, state)
        return self.head(y), state


model, loss_fn = Delay(), nn.functional.mse_loss
optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-3)
stream = torch.randn(BACK + CHUNKS * CHUNK, B, 1)
x, y = stream[BACK:], stream[:-BACK]
state = None
with gr.observe(model, every=1) as watch:
    # with longer-window
    for start in range(0, CHUNKS * CHUNK, CHUNK):  # not with longer-window
        output, state = model(x[start : start + CHUNK], state)  # not with longer-window
        state = state.detach()  # not with longer-window
        loss_fn(output, y[start : start + CHUNK]).backward()  # not with longer-window
        optimizer.step()  # not with longer-window
        optimizer.zero_grad()  # not with longer-window
