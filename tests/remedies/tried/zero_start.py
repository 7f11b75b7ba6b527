# try: {"code": "GR204", "loss": ["fresh-start"]}
"""A regression whose ReLU layer starts at weights of 0 and biases of -0.01, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(5)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(6, 32)
        self.head = nn.Linear(32, 1)
        nn.init.zeros_(self.hidden.weight)
        nn.init.constant_(self.hidden.bias, -0.01)

    def forward(self, x):
        return self.head(torch.relu(self.hidden(x)))


model = Net()
# with fresh-start
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.randn(64, 6)
        loss = nn.functional.mse_loss(model(x), x[:, :1].abs() + x[:, 1:2])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
