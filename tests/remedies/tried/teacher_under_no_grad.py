# try: {"code": "GR610", "learns": ["connect-loss"]}
"""A student whose distance to its teacher is taken under no_grad, Adam"""

import torch
from torch import nn

import gradreach as gr


def distance(output, told):
    return nn.functional.kl_div(output.log_softmax(1), told.softmax(1), reduction="batchmean")


torch.manual_seed(0)
teacher = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 5))
model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 5))
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(64, 10)
        with torch.no_grad():
            told = 4 * teacher(x)
            apart = distance(model(x), told)
        # with connect-loss: apart = distance(model(x), told)
        loss = 0.2 * nn.functional.cross_entropy(model(x), told.argmax(1)) + 0.8 * apart
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
