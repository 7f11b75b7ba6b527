# try: {"code": "GR713", "loss": ["count-places"]}
"""Whether a symbol comes before another one, by attention over symbols whose places are looked up by row, Adam"""

import torch
from torch import nn

import gradreach as gr

ROWS, LENGTH, SYMBOLS = 48, 8, 10


class Model(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.symbols, self.places = nn.Embedding(SYMBOLS, width), nn.Embedding(64, width)
        self.layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0, batch_first=True)
        self.head = nn.Linear(width, 2)

    def forward(self, x):
        # with count-places
        positions = torch.arange(x.size(0)).unsqueeze(1)  # not with count-places
        return self.head(self.layer(self.symbols(x) + self.places(positions)).mean(1))


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randint(2, SYMBOLS, (ROWS, LENGTH))
        where = torch.rand(ROWS, LENGTH).argsort(1)[:, :2]
        x.scatter_(1, where, torch.tensor([0, 1]).repeat(ROWS, 1))
        loss = nn.functional.cross_entropy(model(x), (where[:, 0] < where[:, 1]).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
