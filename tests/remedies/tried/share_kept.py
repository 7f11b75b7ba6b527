# try: {"code": "GR314", "loss": ["drop-less"]}
"""Random classes of twenty numbers by three layers that drop 0.95 of their units, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
inputs, towards, classes = torch.randn(600, 20), torch.randn(20, 64), torch.randn(64, 5)
labels = (torch.tanh(inputs @ towards) @ classes).argmax(1)
model = nn.Sequential(
    *(nn.Linear(20, 128), nn.ReLU(), nn.Dropout(0.95)),
    *(nn.Linear(128, 128), nn.ReLU(), nn.Dropout(0.95), nn.Linear(128, 5)),
)
# with drop-less
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
with gr.observe(model, every=10) as watch:
    for _ in range(400):
        batch = torch.randint(0, 600, (64,))
        loss = nn.functional.cross_entropy(model(inputs[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
