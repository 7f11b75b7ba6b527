# try: {"code": "GR201", "loss": ["initial-scale", "residual", "activation"]}
"""A classifier of ten logistic layers, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(3)
centres = 1.5 * torch.randn(5, 24)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, 48)
        self.act = nn.Sigmoid()  # not with activation
        # with activation: self.act = nn.Tanh()
        # with activation: nn.init.xavier_normal_(self.linear.weight, gain=5 / 3)

    def forward(self, x):
        a = self.linear(x)
        # with residual: return x + self.act(a) if x.shape == a.shape else self.act(a)
        return self.act(a)


model = nn.Sequential(Block(24), *(Block(48) for _ in range(9)), nn.Linear(48, 5))
# with initial-scale
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
with gr.observe(model, every=20) as watch:
    for _ in range(300):
        label = torch.randint(5, (64,))
        loss = nn.functional.cross_entropy(model(centres[label] + torch.randn(64, 24)), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
