# try: {"code": "GR710", "learns": ["boolean-mask"]}
"""The next symbol of a random chain by an encoder whose src_mask is a triangle of ones and zeros, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.places = nn.Embedding(8, 16), nn.Parameter(torch.randn(12, 16))
        self.layer, self.head = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), nn.Linear(16, 8)

    def forward(self, x):
        mask = torch.ones(12, 12).tril()
        # with boolean-mask
        return self.head(self.layer(self.embed(x) + self.places, src_mask=mask))


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
