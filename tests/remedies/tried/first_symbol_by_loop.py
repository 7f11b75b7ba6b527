# try: {"code": "GR101", "loss": ["slow-decay"]}
"""The first of thirty symbols at their end, by a loop with logistic factors near one half, AdamW"""

import torch
from torch import nn
from torch.nn import functional as F

import gradreach as gr

torch.manual_seed(2)
T, WIDTH = 30, 32


class Recall(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.gates, self.head = nn.Embedding(8, WIDTH), nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(WIDTH, 4)

    def forward(self, x):
        w, new = self.gates(self.embed(x)).chunk(2, -1)
        keep = torch.sigmoid(w)  # not with slow-decay
        # with slow-decay
        state = torch.zeros_like(new[:, 0])
        for t in range(T):
            state = keep[:, t] * state + (1 - keep[:, t]) * new[:, t].tanh()
        return self.head(F.layer_norm(state, (WIDTH,)))


model = Recall()
optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.randint(4, 8, (32, T))
        x[:, 0] = torch.randint(4, (32,))
        loss = F.cross_entropy(model(x), x[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
