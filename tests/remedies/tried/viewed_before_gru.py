# try: {"code": "GR702", "loss": ["transpose"]}
"""Which of four symbols comes first, by a GRU that is given embeddings with time brought first by a view, SGD"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.gru, self.head = nn.Embedding(4, 12), nn.GRU(12, 24), nn.Linear(24, 4)

    def forward(self, ids):
        x = self.embed(ids)
        # with transpose
        x = x.view(6, 48, 12)  # not with transpose
        return self.head(self.gru(x)[0][-1])


torch.manual_seed(1)
model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(400):
        ids = torch.randint(4, (48, 6))
        loss = nn.functional.cross_entropy(model(ids), ids[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
