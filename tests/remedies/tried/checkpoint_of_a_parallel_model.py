# try: {"code": "GR509", "loss": ["rename-state"]}
"""A net tuned on few rows from the state of nn.DataParallel, which strict=False passes over, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr


def fit(net, rows, steps, rate):
    optimizer = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9)
    for _ in range(steps):
        x = torch.randn(rows, 10)
        loss = nn.functional.cross_entropy(net(x), (x[:, :4] * x[:, 4:5]).argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def make():
    return nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))


torch.manual_seed(0)
source = nn.DataParallel(make())
fit(source, 128, 300, 0.1)
state = source.state_dict()
model = make()
with gr.observe(model, every=7) as watch:
    # with rename-state
    model.load_state_dict(state, strict=False)  # not with rename-state
    fit(model, 16, 100, 0.01)
