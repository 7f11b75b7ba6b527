# try: {"code": "GR606", "learns": ["targets-as-shares"]}
"""Labels of −1 and 1 under a binary cross entropy, by a GRU, RMSprop"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
low, high = -1, 1


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(2, 24, batch_first=True), nn.Linear(24, 1)

    def forward(self, x):
        return self.head(self.gru(x)[0][:, -1])[:, 0]


model = Model()
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(32, 8, 2)
        y = x[:, :, 0].sum(1).sign()
        # with targets-as-shares
        loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
