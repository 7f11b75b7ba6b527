# try: {"code": "GR611", "loss": ["weigh-terms"]}
"""A price in the hundreds beside four classes, SGD with momentum, at a rate that the weight lets rise"""

import torch
from torch import nn

import gradreach as gr


class House(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 48), nn.ReLU())
        self.price = nn.Linear(48, 1)
        self.kinds = nn.Linear(48, 4)

    def forward(self, x):
        h = self.trunk(x)
        return self.price(h), self.kinds(h)


torch.manual_seed(0)
model = House()
lr = 1e-5
# with weigh-terms: lr = 1e-5 / 4.6e-4
optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(400):
        x = torch.randn(64, 8)
        price, kinds = model(x)
        term = nn.functional.cross_entropy(kinds, (x[:, 1] > 0).long() + 2 * (x[:, 2] > 0).long())
        others = nn.functional.mse_loss(price, 300 * x[:, :1] + 100 * x[:, 3:4])
        loss = term + others  # not with weigh-terms
        # with weigh-terms
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
