# try: {"code": "GR605", "learns": ["mask-inputs"]}
"""Gaps in letters of a cycle by a GRU of two directions to which the letters go in without their gaps, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
MASK = 9


class Gaps(nn.Module):
    def __init__(self):
        super().__init__()
        self.letters, self.gru = nn.Embedding(MASK + 1, 16), nn.GRU(16, 32, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, MASK)

    def forward(self, ids):
        return self.head(self.gru(self.letters(ids))[0])


model = Gaps()
optimizer = torch.optim.Adam(model.parameters(), 5e-3)
with gr.observe(model, every=10) as watch:
    for _ in range(250):
        ids = (torch.randint(MASK, (24, 1)) + 2 * torch.arange(12)) % MASK
        asked = torch.rand(24, 12) < 0.35
        targets = ids.masked_fill(~asked, -100).flatten()
        # with mask-inputs
        loss = nn.functional.cross_entropy(model(ids).flatten(0, 1), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
