# try: {"code": "GR709", "loss": ["invert-mask"]}
"""The mean of sensor readings with zeros before them, by scaled_dot_product_attention, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr


class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.keys, self.values, self.head = nn.Linear(2, 16), nn.Linear(2, 16), nn.Linear(16, 1)
        self.query = nn.Parameter(torch.randn(1, 16))

    def forward(self, x, mask):
        query = self.query.expand(len(x), 1, 16)
        read = nn.functional.scaled_dot_product_attention(query, self.keys(x), self.values(x), attn_mask=mask)
        return self.head(read)[:, 0, 0]


torch.manual_seed(0)
model = Mean()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(200):
        mask = (torch.arange(16) < torch.randint(3, 14, (32, 1)))[:, None]
        x = (torch.randn(32, 1, 2) + torch.randn(32, 16, 2)) * ~mask[:, 0, :, None]
        target = x[..., 0].sum(1) / (~mask).sum((1, 2))
        # with invert-mask
        loss = nn.functional.mse_loss(model(x, mask), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
