# try: {"code": "GR102", "loss": ["bounded-decay"]}
"""The token before by linear attention whose state is multiplied by exp of a logistic gate, AdamW"""

import torch
from torch import nn
from torch.nn import functional as F

import gradreach as gr

torch.manual_seed(1)
T, WIDTH, KINDS = 40, 24, 8


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(KINDS, WIDTH), nn.Linear(WIDTH, KINDS)
        self.query, self.key, self.value, self.gate = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, x):
        e = self.embed(x)
        q, k, v, w = self.query(e), self.key(e), self.value(e), self.gate(e)
        keep = w.sigmoid().exp()  # not with bounded-decay
        # with bounded-decay
        state, read = e.new_zeros(len(e), WIDTH, WIDTH), []
        for t in range(T):
            read.append(torch.einsum("bk,bkv->bv", q[:, t], state))
            state = keep[:, t, :, None] * state + 0.2 * k[:, t, :, None] * v[:, t, None, :]
        return self.head(F.layer_norm(torch.stack(read, 1), (WIDTH,)))


model = Attention()
optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.randint(KINDS, (24, T))
        loss = F.cross_entropy(model(x)[:, 1:].flatten(0, 1), x[:, :-1].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
