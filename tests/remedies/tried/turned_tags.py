# try: {"code": "GR712", "loss": ["turn-targets"]}
"""The signs of a code by an LSTM with time first, whose targets lie batch first, Adam"""

import torch
from torch import nn

import gradreach as gr

SIGNS, CODES = 18, 5


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.signs, self.lstm, self.head = nn.Embedding(SIGNS, 16), nn.LSTM(16, 24), nn.Linear(24, CODES)

    def forward(self, ids):
        return self.head(self.lstm(self.signs(ids).transpose(0, 1))[0])


torch.manual_seed(2)
model, criterion = Model(), nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
code = torch.randint(0, CODES, (SIGNS,))
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        ids = torch.randint(0, SIGNS, (32, 9))
        output, target = model(ids), code[ids]
        # with turn-targets
        loss = criterion(output.flatten(0, 1), target.flatten())  # not with turn-targets
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
