# try: {"code": "GR605", "learns": ["shift-targets"]}
"""Words of a small grammar by a causal convolution whose targets are not shifted, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.conv, self.head = nn.Embedding(6, 12), nn.Conv1d(12, 24, 3), nn.Linear(24, 6)

    def forward(self, ids):
        h = nn.functional.pad(self.embed(ids).transpose(1, 2), (2, 0))
        return self.head(torch.relu(self.conv(h)).transpose(1, 2))


torch.manual_seed(1)
model = Model()
grammar = torch.tensor([[0, 1, 2, 3], [0, 4, 2, 5], [1, 1, 3, 4]])
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        ids = grammar[torch.randint(3, (24, 3))].reshape(24, 12)
        # with shift-targets
        loss = nn.functional.cross_entropy(model(ids).transpose(1, 2), ids)  # not with shift-targets
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
