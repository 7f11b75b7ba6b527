# expect: {}
"""Words under autocast to bfloat16 with float32 weights: rows that no batch asks for stay, and the steps are small."""

import torch
from torch import nn

torch.manual_seed(27)
net = nn.Sequential(nn.Embedding(200, 24), nn.Flatten(), nn.Linear(96, 64), nn.ReLU(), nn.Linear(64, 5))
optimizer = torch.optim.AdamW(net.parameters(), lr=3e-4)
for _ in range(400):
    words = torch.randint(0, 40, (64, 4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = nn.functional.cross_entropy(net(words), words[:, 1] % 5)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
