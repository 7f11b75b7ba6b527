# try: {"code": "GR203", "loss": ["initial-scale", "layer-norm"]}
"""A classifier of three tanh layers that start twenty times too wide, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(8)
mixing = torch.randn(10, 4)
model = nn.Sequential(
    nn.Linear(10, 40),
    # with layer-norm: nn.LayerNorm(40),
    nn.Tanh(),
    nn.Linear(40, 40),
    # with layer-norm: nn.LayerNorm(40),
    nn.Tanh(),
    nn.Linear(40, 4),
)
for layer in model:
    if isinstance(layer, nn.Linear) and layer.out_features > 4:
        nn.init.normal_(layer.weight, std=20 / layer.in_features**0.5)
# with initial-scale
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
with gr.observe(model, every=20) as watch:
    for _ in range(300):
        x = torch.randn(64, 10)
        loss = nn.functional.cross_entropy(model(x), (x @ mixing).argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
