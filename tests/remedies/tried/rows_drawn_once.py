# try: {"code": "GR510", "loss": ["sampler-anew"]}
"""A classifier whose rows a generator draws by weight, in one pass of eight, SGD with momentum"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import gradreach as gr


def drawn():
    yield from torch.multinomial(1.0 + y, 640, replacement=True).tolist()


torch.manual_seed(0)
x = torch.randn(640, 10)
y = (x[:, 0] * x[:, 1] > 0).long()
model = nn.Sequential(nn.Linear(10, 48), nn.ReLU(), nn.Linear(48, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
sampler = drawn()  # not with sampler-anew
# with sampler-anew
loader = DataLoader(TensorDataset(x, y), 32, sampler=sampler)
with gr.observe(model, every=3) as watch:
    for _ in range(8):
        for rows, labels in loader:
            loss = nn.functional.cross_entropy(model(rows), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
