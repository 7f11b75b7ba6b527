# try: {"code": "GR606", "learns": ["turn-sign"]}
"""Words by a softmax whose log likelihood is minimised, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Embedding(20, 16), nn.Flatten(), nn.Linear(64, 20))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        ids = torch.randint(20, (32, 4))
        loss = torch.distributions.Categorical(logits=model(ids)).log_prob(ids[:, 2]).mean()
        # with turn-sign
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
