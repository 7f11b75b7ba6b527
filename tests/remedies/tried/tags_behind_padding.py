# try: {"code": "GR708", "loss": ["leave-out-padding"]}
"""A tag for each word, 0 for padding and for plain words alike, by two layers over rows of 50, SGD with momentum"""

import torch
from torch import nn
from torch.nn import functional as F

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Embedding(30, 16), nn.Flatten(0, 1), nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 6))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randint(1, 30, (16, 50)) * (torch.arange(50) < torch.randint(3, 9, (16, 1)))
        output, target = model(x), (x * 7 % 30 // 5).reshape(-1)
        loss = F.cross_entropy(output, target)  # not with leave-out-padding
        # with leave-out-padding
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
