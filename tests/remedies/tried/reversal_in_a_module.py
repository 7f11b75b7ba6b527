# try: {"code": "GR317", "learns": ["autograd-function"]}
"""Features that are to hide their domain, Adam"""

import torch
from torch import nn

import gradreach as gr


class Reverse(nn.Module):
    def forward(self, x):
        return x.view_as(x)  # not with autograd-function
        # with autograd-function: return ReverseFunction.apply(x)

    def backward(self, grad_output):  # not with autograd-function
        return -grad_output  # not with autograd-function


# with autograd-function


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(8, 24), nn.ReLU())
        self.classes, self.domain, self.reverse = nn.Linear(24, 3), nn.Linear(24, 2), Reverse()

    def forward(self, x):
        h = self.features(x)
        return self.classes(h), self.domain(self.reverse(h))


torch.manual_seed(0)
model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(64, 8)
        classes, domain = model(x)
        loss = nn.functional.cross_entropy(classes, x[:, :3].argmax(1))
        loss = loss + nn.functional.cross_entropy(domain, (x[:, 3] > 0).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
