# expect: {"code": "GR711", "severity": "error", "module": "net.frame.3", "behind": "net.head", "shape_in": "(160, 18)"}
"""Frames go through a convolution one by one, in an order with time first, and are told apart with the batch first."""

import torch
from torch import nn

torch.manual_seed(3)
FRAMES, ROWS = 5, 32


class Clips(nn.Module):
    def __init__(self):
        super().__init__()
        self.lift = nn.Conv3d(1, 4, (1, 3, 3))
        self.frame = nn.Sequential(nn.Conv2d(4, 2, 2), nn.ReLU(), nn.MaxPool2d(2, 1, 0), nn.Flatten())
        self.head = nn.Linear(18, 3)

    def forward(self, clips):
        h = self.lift(clips).permute(2, 0, 1, 3, 4)
        h = self.frame(h.reshape(FRAMES * len(clips), *h.shape[2:]))
        return self.head(h.view(len(clips), FRAMES, -1).mean(1))


net = Clips()
optimizer = torch.optim.AdamW(net.parameters(), 4e-3)
for _ in range(250):
    y = torch.randint(3, (ROWS,))
    clips = 0.3 * torch.randn(ROWS, 1, FRAMES, 7, 7)
    clips[torch.arange(ROWS), :, :, 2 * y] += 1.0
    loss = nn.functional.cross_entropy(net(clips), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
