# try: {"code": "GR711", "loss": ["batch-axis-first"]}
"""A classifier that joins the last states of two directions by a view, RMSprop"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(3, 16, batch_first=True, bidirectional=True), nn.Linear(32, 3)

    def forward(self, x):
        h = self.gru(x)[1]
        # with batch-axis-first
        h = h.view(len(x), -1)  # not with batch-axis-first
        return self.head(h)


torch.manual_seed(2)
model = Model()
optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        y = torch.randint(3, (40,))
        x = 0.4 * torch.randn(40, 9, 3) + nn.functional.one_hot(y, 3)[:, None]
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
