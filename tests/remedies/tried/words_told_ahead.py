# try: {"code": "GR710", "learns": ["fill-far-below"]}
"""The next symbol of a random chain by attention whose mask of the future fills in 1e-9, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.places = nn.Embedding(8, 32), nn.Parameter(torch.randn(12, 32))
        self.three, self.out, self.head = nn.Linear(32, 96), nn.Linear(32, 32), nn.Linear(32, 8)

    def forward(self, x):
        h = self.embed(x) + self.places
        q, k, v = self.three(h).chunk(3, -1)
        scores, mask = q @ k.mT / 32**0.5, torch.ones(12, 12).triu(1).bool()
        scores = scores.masked_fill(mask, 1e-9)  # not with fill-far-below
        # with fill-far-below
        return self.head(torch.relu(h + self.out(scores.softmax(-1) @ v)))


torch.manual_seed(0)
model = Model()
likely = torch.randn(8, 8).mul(2).softmax(-1)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(200):
        x = torch.randint(8, (32, 1))
        for _ in range(12):
            x = torch.cat([x, torch.multinomial(likely[x[:, -1]], 1)], 1)
        loss = nn.functional.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
