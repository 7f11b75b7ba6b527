# try: {"code": "GR617", "learns": ["uncut-output"]}
"""A picture painted by a distance and by a critic that is given it detached, two small networks, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
painter = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 16))
critic = nn.Sequential(nn.Linear(16, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1))
paints = torch.optim.Adam(painter.parameters(), 2e-3)
criticises = torch.optim.Adam(critic.parameters(), 1e-3)
verdict = nn.BCEWithLogitsLoss()
mixing = torch.randn(8, 16)
both = nn.ModuleList([painter, critic])
with gr.observe(both, every=15) as watch:
    for _ in range(300):
        scene = torch.randn(48, 8)
        picture = torch.tanh(scene @ mixing)
        painted = painter(torch.cat([scene, torch.randn(48, 4)], 1))
        judged = painted.detach()
        shown = judged
        # with uncut-output: shown = painted
        loss = 20 * (painted - picture).square().mean() + verdict(critic(shown), torch.ones(48, 1))
        paints.zero_grad()
        loss.backward()
        paints.step()
        doubt = verdict(critic(picture), torch.ones(48, 1)) + verdict(critic(judged), torch.zeros(48, 1))
        criticises.zero_grad()
        doubt.backward()
        criticises.step()
