# try: {"code": "GR105", "loss": ["carry-and-detach"]}
"""Chunks of four symbols of a text that goes on, by an LSTM that begins each from zeros, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.lstm, self.head = nn.Embedding(12, 16), nn.LSTM(16, 48, batch_first=True), nn.Linear(48, 12)

    def forward(self, ids, state):
        out, state = self.lstm(self.embed(ids), state)
        return self.head(out), state


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
# Each symbol is three more than the fourth before it, but one in twenty, which is drawn at random.
rows = torch.randint(12, (16, 5))
for _ in range(4 * 500):
    drawn = torch.where(torch.rand(16) < 0.05, torch.randint(12, (16,)), (rows[:, -4] + 3) % 12)
    rows = torch.cat([rows, drawn[:, None]], 1)
state = None
with gr.observe(model, every=15) as watch:
    for at in range(0, 2000, 4):
        logits, state = model(rows[:, at : at + 4], state)
        loss = nn.functional.cross_entropy(logits.transpose(1, 2), rows[:, at + 1 : at + 5])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        # with carry-and-detach
        state = None  # not with carry-and-detach
