# try: {"code": "GR510", "loss": ["sampler-anew"]}
"""Sums of sequences by a GRU, whose batches of like length a generator makes but once, Adam"""

import torch
from torch import nn
from torch.utils.data import DataLoader

import gradreach as gr


def batches():
    order = sorted(torch.randperm(len(rows)).tolist(), key=lambda i: len(rows[i]))
    for start in range(0, len(order), 16):
        yield order[start : start + 16]


class Sum(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(1, 24, batch_first=True), nn.Linear(24, 1)

    def forward(self, x):
        return self.head(self.rnn(x)[1][-1])


torch.manual_seed(0)
rows = [torch.randn(3 + i % 4, 1) for i in range(320)]
model = Sum()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
batch_sampler = batches()  # not with sampler-anew
# with sampler-anew
loader = DataLoader(rows, batch_sampler=batch_sampler, collate_fn=nn.utils.rnn.pad_sequence)
with gr.observe(model, every=3) as watch:
    for _ in range(12):
        for x in loader:
            x = x.transpose(0, 1)
            loss = nn.functional.mse_loss(model(x), x.sum(1) / 2)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
