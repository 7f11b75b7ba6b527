# try: {"code": "GR707", "loss": ["last-state"]}
"""The last word of six by two GRU layers with time first, read at the first, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.gru, self.head = nn.Embedding(5, 16), nn.GRU(16, 32, num_layers=2), nn.Linear(32, 5)


torch.manual_seed(1)
model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        words = torch.randint(5, (6, 32))
        x = model.embed(words)
        state = model.gru(x)[0][0]  # not with last-state
        # with last-state
        loss = nn.functional.cross_entropy(model.head(state), words[-1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
