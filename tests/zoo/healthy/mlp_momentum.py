"""Plain ReLU MLP on a made classification, SGD with momentum, trained until its training loss is almost nothing."""

import sys

import torch
from torch import nn

torch.manual_seed(12)
BATCH, EPOCHS = 32, 60
centres = 0.5 * torch.randn(6, 32)
label = torch.randint(6, (768,))
data = centres[label] + torch.randn(768, 32)

model = nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 6))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
for epoch in range(EPOCHS):
    for chosen in torch.randperm(768).split(BATCH):
        loss = nn.functional.cross_entropy(model(data[chosen]), label[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0 or epoch == EPOCHS - 1:
        print(f"epoch {epoch} loss {loss.item():.5f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
