# try: {"code": "GR607", "loss": ["usual-start"]}
"""Which film a viewer likes, by the inner product of two tables drawn from N(0, 1)"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(1)
tastes, kinds = torch.randn(300, 4), torch.randn(200, 4)


class Taste(nn.Module):
    def __init__(self):
        super().__init__()
        self.viewer, self.film = nn.Embedding(300, 96), nn.Embedding(200, 96)

    def forward(self, viewers, films):
        return (self.viewer(viewers) * self.film(films)).sum(-1)


model = Taste()
# with usual-start
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
with gr.observe(model) as watch:
    for _ in range(300):
        viewers, films = torch.randint(300, (128,)), torch.randint(200, (128,))
        liked = ((tastes[viewers] * kinds[films]).sum(-1) > 0).float()
        loss = nn.functional.binary_cross_entropy_with_logits(model(viewers, films), liked)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
