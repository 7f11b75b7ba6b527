# try: {"code": "GR510", "loss": ["rows-anew"]}
"""A regression on rows of a stream that is opened when the dataset is made, Adam"""

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

import gradreach as gr


class Rows(IterableDataset):
    def __init__(self):
        self.rows = self.open()

    def open(self):
        yield from data

    # with rows-anew
    def __iter__(self):  # not with rows-anew
        return self.rows  # not with rows-anew


torch.manual_seed(0)
data = torch.randn(640, 8)
model = nn.Sequential(nn.Linear(8, 48), nn.Tanh(), nn.Linear(48, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
loader = DataLoader(Rows(), batch_size=32)
with gr.observe(model, every=3) as watch:
    for _ in range(10):
        for x in loader:
            loss = nn.functional.mse_loss(model(x), x[:, :1] * x[:, 1:2])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
