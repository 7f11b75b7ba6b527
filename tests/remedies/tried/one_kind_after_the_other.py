# try: {"code": "GR704", "loss": ["shuffle"]}
"""A GRU that is shown a batch of one kind of walk after the other, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.gru(x)[0][:, -1])


torch.manual_seed(2)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)
with gr.observe(model, every=7) as watch:
    for step in range(250):
        y = torch.full((24,), step % 3)
        # with shuffle: y = torch.randint(3, (24,))
        x = (0.3 * torch.randn(24, 10, 1) + 0.2 * (y.reshape(-1, 1, 1) - 1)).cumsum(1)
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
