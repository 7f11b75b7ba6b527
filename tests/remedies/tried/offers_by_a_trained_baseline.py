# try: {"code": "GR615", "learns": ["detach-baseline"]}
"""One of four offers by REINFORCE, whose baseline is not detached in the advantage, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4))
baseline = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
both = nn.ModuleDict({"policy": policy, "baseline": baseline})
optimizer = torch.optim.Adam(both.parameters(), lr=5e-3)
with gr.observe(both, every=15) as watch:
    for _ in range(300):
        x = torch.randn(64, 6)
        choice = torch.distributions.Categorical(logits=policy(x))
        offer = choice.sample()
        returns, value = 3 + x[:, :4].gather(1, offer[:, None]).squeeze(1), baseline(x).squeeze(1)
        advantage = returns - value
        # with detach-baseline
        loss = -(choice.log_prob(offer) * advantage).mean() + nn.functional.mse_loss(value, returns)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
