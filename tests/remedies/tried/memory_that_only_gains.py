# try: {"code": "GR103", "loss": ["bounded-state"]}
"""Which of four symbols came first, by a cell of one's own whose memory gains at each step and loses nothing, Adam"""

import torch
from torch import nn
from torch.nn import functional as F

import gradreach as gr

T, UNITS = 20, 32


class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.of_input, self.of_state = nn.Linear(4, 4 * UNITS), nn.Linear(UNITS, 4 * UNITS, bias=False)

    def forward(self, x, h, c):
        i, f, g, o = (self.of_input(x) + self.of_state(h)).chunk(4, 1)
        f = f + 2
        c = c + torch.sigmoid(i) + torch.sigmoid(g)  # not with bounded-state
        # with bounded-state: c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = Cell(), nn.Linear(UNITS, 4)

    def forward(self, symbols):
        h = c = torch.zeros(len(symbols), UNITS)
        for x in F.one_hot(symbols, 4).float().unbind(1):
            h, c = self.cell(x, h, c)
        return self.head(h)


torch.manual_seed(2)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        symbols = torch.randint(4, (48, T))
        loss = F.cross_entropy(model(symbols), symbols[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
