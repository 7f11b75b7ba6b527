# try: {"code": "GR615", "learns": ["detach-baseline"]}
"""The keys of a rhythm, pressed one by one by a GRU, with a critic that predicts the hits of a whole row, RMSprop"""

import torch
from torch import nn

import gradreach as gr


class Player(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.keys, self.hits = nn.GRU(4, 32), nn.Linear(32, 3), nn.Linear(32, 1)

    def forward(self, rhythm):
        states, _ = self.rnn(rhythm)
        return self.keys(states), self.hits(states.mean(0)).squeeze(-1)


torch.manual_seed(0)
player = Player()
optimizer = torch.optim.RMSprop(player.parameters(), lr=2e-3)
with gr.observe(player, every=15) as watch:
    for _ in range(400):
        rhythm = torch.randn(6, 64, 4)
        logits, value = player(rhythm)
        choice = torch.distributions.Categorical(logits=logits)
        keys = choice.sample()
        returns = (keys == rhythm[..., :3].argmax(-1)).float().sum(0)
        advantage = returns - value
        # with detach-baseline
        loss = -(choice.log_prob(keys).sum(0) * advantage).mean() + nn.functional.mse_loss(value, returns)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
