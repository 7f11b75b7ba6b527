# try: {"code": "GR605", "learns": ["mask-inputs"]}
"""Masked symbols of progressions by a transformer of one layer that is given the symbols themselves, AdamW"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
MASK = 12


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.symbols, self.places = nn.Embedding(MASK + 1, 32), nn.Embedding(10, 32)
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.head = nn.Linear(32, MASK)

    def forward(self, ids):
        return self.head(self.layer(self.symbols(ids) + self.places(torch.arange(10))))


model = Masked()
optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
with gr.observe(model, every=10) as watch:
    for _ in range(400):
        ids = (torch.randint(MASK, (32, 1)) + torch.arange(10)) % MASK
        asked = torch.rand(32, 10) < 0.4
        targets = torch.where(asked, ids, -100)
        # with mask-inputs
        loss = nn.functional.cross_entropy(model(ids).transpose(1, 2), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
