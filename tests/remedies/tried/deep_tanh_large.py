# try: {"code": "GR202", "loss": ["initial-scale", "layer-norm"]}
"""A classifier of 24 tanh layers that start eight times too large, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(5)
WIDTH = 48
mixing = torch.randn(16, 6)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, WIDTH)
        nn.init.normal_(self.linear.weight, std=8 / width**0.5)
        # with layer-norm: self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x):
        # with layer-norm: return torch.tanh(self.norm(self.linear(x)))
        return torch.tanh(self.linear(x))


model = nn.Sequential(Block(16), *(Block(WIDTH) for _ in range(23)), nn.Linear(WIDTH, 6))
# with initial-scale
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
with gr.observe(model, every=20) as watch:
    for _ in range(250):
        x = torch.randn(64, 16)
        loss = nn.functional.cross_entropy(model(x), (x @ mixing).argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
