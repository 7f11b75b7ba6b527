# try: {"code": "GR204", "loss": ["leaky"]}
"""A classifier of fifteen ReLU layers of five units, born dead, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(6)
layers = []
for i in range(15):
    linear = nn.Linear(6 if i == 0 else 5, 5)
    nn.init.kaiming_normal_(linear.weight)
    nn.init.zeros_(linear.bias)
    layers += [linear, nn.ReLU()]
model = nn.Sequential(*layers, nn.Linear(5, 2))
# with leaky
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(64, 6)
        loss = nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
