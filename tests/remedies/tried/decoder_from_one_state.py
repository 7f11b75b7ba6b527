# try: {"code": "GR107", "loss": ["carry-state"]}
"""An LSTM cell that starts from the encoder's last state at every step, a copy of five words"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
WORDS, T = 6, 5


class Copy(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.encode = nn.Embedding(WORDS, 16), nn.LSTM(16, 32, batch_first=True)
        self.cell, self.read = nn.LSTMCell(16, 32), nn.Linear(32, WORDS)

    def forward(self, words):
        h, c = (each[0] for each in self.encode(self.embed(words))[1])
        x, said = torch.zeros(len(words), T, 16), []
        for t in range(T):
            # with carry-state: h, c = self.cell(x[:, t], (h, c))
            # with carry-state: out = h
            out, _ = self.cell(x[:, t], (h, c))  # not with carry-state
            said.append(self.read(out))
        return torch.stack(said, 1)


model = Copy()
optimizer = torch.optim.Adam(model.parameters(), 5e-3)
with gr.observe(model, every=25) as watch:
    for _ in range(300):
        words = torch.randint(0, WORDS, (32, T))
        loss = nn.functional.cross_entropy(model(words).flatten(0, 1), words.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
