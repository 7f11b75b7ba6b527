# try: {"code": "GR605", "learns": ["see-nothing-ahead"]}
"""The next of nine symbols by an LSTM of two directions, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self, lstm):
        super().__init__()
        self.embed, self.lstm = nn.Embedding(9, 16), lstm
        self.head = nn.Linear(32 * (1 + lstm.bidirectional), 9)

    def forward(self, ids):
        return self.head(self.lstm(self.embed(ids))[0])


torch.manual_seed(0)
inputs, hidden, T = 16, 32, 13
lstm = nn.LSTM(inputs, hidden, batch_first=True, bidirectional=True)
# with see-nothing-ahead
model = Model(lstm)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        ids = (torch.randint(9, (32, 1)) + torch.randint(1, 4, (32, 1)) * torch.arange(T)) % 9
        loss = nn.functional.cross_entropy(model(ids[:, :-1]).transpose(1, 2), ids[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
