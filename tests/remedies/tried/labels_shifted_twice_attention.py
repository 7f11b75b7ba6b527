# try: {"code": "GR612", "loss": ["shift-once"]}
"""Steps around a ring by a causal attention whose loss shifts targets that are shifted, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

WORDS, LENGTH = 9, 12


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.symbols, self.places = nn.Embedding(WORDS, 32), nn.Parameter(0.1 * torch.randn(LENGTH, 32))
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.head = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, WORDS))
        self.mask = nn.Transformer.generate_square_subsequent_mask(LENGTH)

    def forward(self, ids):
        x = self.symbols(ids) + self.places
        return self.head(x + self.attention(x, x, x, attn_mask=self.mask, need_weights=False)[0])


torch.manual_seed(0)
model = Reader()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        start, steps = torch.randint(0, WORDS, (24, 1)), torch.randint(1, 3, (24, LENGTH))
        words = torch.cat([start, start + steps.cumsum(1)], 1) % WORDS
        ids, labels = words[:, :-1], words[:, 1:]
        # with shift-once
        loss = nn.functional.cross_entropy(model(ids)[:, :-1].reshape(-1, WORDS), labels[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
