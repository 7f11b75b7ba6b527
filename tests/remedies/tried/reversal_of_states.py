# try: {"code": "GR317", "learns": ["autograd-function"]}
"""A GRU whose last state is to hide the speaker, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr


class Hide(nn.Module):
    def forward(self, x):
        return x.view_as(x)  # not with autograd-function
        # with autograd-function: return HideFunction.apply(x)

    def backward(self, gradient):  # not with autograd-function
        return -gradient  # not with autograd-function


# with autograd-function


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.GRU(4, 24, batch_first=True)
        self.classes, self.domain, self.reverse = nn.Linear(24, 3), nn.Linear(24, 2), Hide()

    def forward(self, x):
        h = self.features(x)[0][:, -1]
        return self.classes(h), self.domain(self.reverse(h))


torch.manual_seed(0)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(64, 6, 4)
        classes, domain = model(x)
        loss = nn.functional.cross_entropy(classes, x[:, -1, :3].argmax(1))
        loss = loss + nn.functional.cross_entropy(domain, (x[:, -1, 3] > 0).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
