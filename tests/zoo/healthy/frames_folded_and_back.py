"""Frames go through layers one by one, folded with the time first and unfolded so again; groups of samples share what
deviates among them, by a view over the batch."""

import torch
from torch import nn

torch.manual_seed(3)
FRAMES, ROWS = 5, 32


class Clips(nn.Module):
    def __init__(self):
        super().__init__()
        self.frame = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 16), nn.ReLU())
        self.head = nn.Linear(17, 3)

    def forward(self, clips):
        h = self.frame(clips.transpose(0, 1).reshape(FRAMES * len(clips), -1))
        h = h.view(FRAMES, len(clips), -1).mean(0)
        spread = h.view(4, -1, 16).std(0).mean(1, keepdim=True).repeat(4, 1)
        return self.head(torch.cat([h, spread], 1))


net = Clips()
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(250):
    y = torch.randint(3, (ROWS,))
    clips = torch.randn(ROWS, FRAMES, 12)
    clips[torch.arange(ROWS), :, y] += 1.5
    loss = nn.functional.cross_entropy(net(clips), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
