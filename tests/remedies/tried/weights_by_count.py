# try: {"code": "GR608", "learns": ["balanced-weights"]}
"""Three classes of unlike size, each weighted by its share, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
y = torch.multinomial(torch.tensor([0.85, 0.12, 0.03]), 3000, replacement=True)
x = torch.randn(3, 8)[y] + 0.7 * torch.randn(3000, 8)
weight = y.bincount() / len(y)
# with balanced-weights
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        rows = torch.randint(0, len(x), (64,))
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows], weight=weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
