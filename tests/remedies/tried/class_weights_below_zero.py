# try: {"code": "GR606", "learns": ["positive-weights"]}
"""Four classes of unlike size whose weights are one less three times their shares, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
shares = torch.tensor([0.55, 0.25, 0.15, 0.05])
weight = 1 - 3 * shares
# with positive-weights
centres = torch.randn(4, 10)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        y = torch.multinomial(shares, 64, replacement=True)
        x = centres[y] + 0.5 * torch.randn(64, 10)
        loss = nn.functional.cross_entropy(model(x), y, weight=weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
