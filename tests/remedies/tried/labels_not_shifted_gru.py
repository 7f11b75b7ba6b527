# try: {"code": "GR605", "learns": ["shift-targets"]}
"""The next of nine symbols by a GRU whose targets are the symbols that it is given, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.gru, self.head = nn.Embedding(9, 16), nn.GRU(16, 32, batch_first=True), nn.Linear(32, 9)

    def forward(self, ids):
        return self.head(self.gru(self.embed(ids))[0])


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        ids = (torch.randint(9, (32, 1)) + torch.randint(1, 4, (32, 1)) * torch.arange(13)) % 9
        # with shift-targets
        loss = nn.functional.cross_entropy(model(ids).transpose(1, 2), ids)  # not with shift-targets
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
