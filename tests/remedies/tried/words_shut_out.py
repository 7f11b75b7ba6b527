# try: {"code": "GR709", "loss": ["invert-mask"]}
"""The first word, asked of an encoder whose padding mask is True at the words, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.places = nn.Embedding(8, 16), nn.Parameter(torch.randn(12, 16))
        self.encoder = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.query, self.head = nn.Parameter(torch.randn(1, 1, 16)), nn.Linear(16, 8)
        self.pool = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x, mask):
        h = self.encoder(self.embed(x) + self.places, src_key_padding_mask=mask)
        return self.head(self.pool(self.query.expand(len(h), 1, 16), h, h, key_padding_mask=mask)[0][:, 0])


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(200):
        mask = torch.arange(12) < torch.randint(3, 12, (32, 1))
        x = torch.randint(1, 8, (32, 12)) * mask
        # with invert-mask
        loss = nn.functional.cross_entropy(model(x, mask), x[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
