# try: {"code": "GR710", "loss": ["boolean-mask"]}
"""The mean of sensor readings of several lengths by scaled_dot_product_attention with a mask of 0.0 and 1.0, SGD"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.keys = nn.Parameter(torch.randn(1, 8)), nn.Linear(3, 8)
        self.values, self.head = nn.Linear(3, 8), nn.Linear(8, 1)

    def forward(self, x, mask):
        # with boolean-mask
        k, v, query = self.keys(x)[:, None], self.values(x)[:, None], self.query.expand(len(x), 1, 1, 8)
        read = nn.functional.scaled_dot_product_attention(query, k, v, attn_mask=mask[:, None, None])
        return self.head(read[:, 0, 0])[:, 0]


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        real = (torch.arange(16) < torch.randint(2, 16, (48, 1))).float()
        x = (1.0 + torch.randn(48, 16, 3)) * real[..., None]
        loss = nn.functional.mse_loss(model(x, real), x[..., 0].sum(1) / real.sum(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
