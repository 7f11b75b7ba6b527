# try: {"code": "GR505", "loss": ["module-list"]}
"""Hidden layers that stand in a list of Python, a classifier, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.layers, self.head = nn.Linear(8, 24), [nn.Linear(24, 24) for _ in range(3)], nn.Linear(24, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.enter(x)
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(x)


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
# with module-list
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.randn(64, 8)
        loss = nn.functional.cross_entropy(model(x), x[:, :3].argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
