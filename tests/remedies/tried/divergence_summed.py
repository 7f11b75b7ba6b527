# try: {"code": "GR611", "loss": ["weigh-terms"]}
"""A variational autoencoder, a mean error and a summed divergence, Adam"""

import torch
from torch import nn

import gradreach as gr


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(30, 48), nn.ReLU(), nn.Linear(48, 8))
        self.decoder = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 30))

    def forward(self, x):
        mean, log_variance = self.encoder(x).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        return self.decoder(code), mean, log_variance


torch.manual_seed(0)
patterns = torch.randn(8, 30)
model = Autoencoder()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
with gr.observe(model, every=15) as watch:
    for _ in range(600):
        x = patterns[torch.randint(0, 8, (32,))]
        out, mean, log_variance = model(x)
        term = nn.functional.mse_loss(out, x)
        others = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
        loss = term + others  # not with weigh-terms
        # with weigh-terms
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
