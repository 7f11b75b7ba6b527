# try: {"code": "GR609", "learns": ["copy-rows"]}
"""Loud windows by an MLP, whose data set takes a constant off the rows that it keeps, again at each pass"""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import gradreach as gr

torch.manual_seed(2)


class Windows(Dataset):
    def __init__(self):
        self.x = torch.randn(480, 12)
        self.levels = (self.x[:, 3:6].sum(1, keepdim=True) + 2 * torch.rand(480, 8)).clamp(min=0)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, at):
        # with copy-rows: return self.x[at].clone(), self.levels[at].clone()
        return self.x[at], self.levels[at]


def loud(rows):
    x, levels = zip(*rows, strict=True)
    for each in levels:
        each -= 1.5
    return torch.stack(x), (torch.stack(levels) > 0).float()


model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 8))
optimizer = torch.optim.Adam(model.parameters(), 3e-3)
loader = DataLoader(Windows(), batch_size=32, shuffle=True, collate_fn=loud)
with gr.observe(model) as watch:
    for _ in range(16):
        for x, y in loader:
            loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
