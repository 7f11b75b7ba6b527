# try: {"code": "GR609", "learns": ["copy-rows"]}
"""Onsets in a series by a GRU, whose transform divides the strengths that the data set keeps, again at each pass"""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import gradreach as gr

torch.manual_seed(3)


class Series(Dataset):
    def __init__(self):
        self.x = torch.randn(320, 20, 2)
        self.strength = (self.x[:, :, 0] * self.x[:, :, 1]).abs() * 3

    def __len__(self):
        return len(self.x)

    def __getitem__(self, at):
        x, strength = self.x[at], self.strength[at]
        # with copy-rows: strength = strength.clone()
        strength /= 2
        return x, (strength > 1).float()


class Onsets(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(2, 24, batch_first=True)
        self.head = nn.Linear(24, 1)

    def forward(self, x):
        return self.head(self.gru(x)[0])[..., 0]


model = Onsets()
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
loader = DataLoader(Series(), batch_size=32, shuffle=True)
with gr.observe(model) as watch:
    for _ in range(24):
        for x, y in loader:
            loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
