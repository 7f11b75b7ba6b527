# try: {"code": "GR104", "loss": ["longer-window"]}
"""The symbol of seven steps ago on one long stream, by an RNN in chunks of five steps, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
B, CHUNK, SYMBOLS, BACK = 32, 5, 3, 7


class Echo(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(SYMBOLS, 8)
        self.rnn = nn.RNN(8, 48)
        self.head = nn.Linear(48, SYMBOLS)

    def forward(self, x, state=None):
        y, state = self.rnn(self.embed(x), state)
        return self.head(y), state


def loss_fn(output, y):
    return nn.functional.cross_entropy(output.flatten(0, 1), y.flatten())


model = Echo()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
stream = torch.randint(SYMBOLS, (BACK + 60 * CHUNK * 3, B))
state = None
with gr.observe(model, every=1) as watch:
    for part in range(3):
        x = stream[BACK:][part * 60 * CHUNK : (part + 1) * 60 * CHUNK]
        y = stream[:-BACK][part * 60 * CHUNK : (part + 1) * 60 * CHUNK]
        # with longer-window
        for start in range(0, 60 * CHUNK, CHUNK):  # not with longer-window
            output, state = model(x[start : start + CHUNK], state)  # not with longer-window
            state = state.detach()  # not with longer-window
            loss_fn(output, y[start : start + CHUNK]).backward()  # not with longer-window
            optimizer.step()  # not with longer-window
            optimizer.zero_grad()  # not with longer-window
