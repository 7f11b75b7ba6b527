# try: {"code": "GR617", "learns": ["uncut-output"]}
"""A tune that a GRU cleans, judged by another GRU that is handed its data alone, RMSprop"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)


class Listener(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.score = nn.GRU(4, 16, batch_first=True), nn.Linear(16, 1)

    def forward(self, tune):
        return self.score(self.rnn(tune)[1][-1])


class Cleaner(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.out = nn.GRU(4, 24, batch_first=True), nn.Linear(24, 4)

    def forward(self, noisy):
        return self.out(self.rnn(noisy)[0])


band = nn.ModuleDict({"cleaner": Cleaner(), "listener": Listener()})
cleaner, listener = band["cleaner"], band["listener"]
to_clean = torch.optim.RMSprop(cleaner.parameters(), 2e-3)
to_listen = torch.optim.RMSprop(listener.parameters(), 5e-4)
with gr.observe(band, every=15) as watch:
    for _ in range(300):
        tune = torch.sin(6.28 * torch.rand(32, 1, 4) + torch.arange(10).view(1, 10, 1) / 3)
        clean = cleaner(tune + 0.3 * torch.randn_like(tune))
        shown = clean.data
        # with uncut-output: shown = clean
        loss = 5 * (clean - tune).abs().mean() - 0.1 * listener(shown).mean()
        to_clean.zero_grad()
        loss.backward()
        to_clean.step()
        score, wanted = listener(clean.data), listener(tune)
        gap = score.mean() - wanted.mean() + 0.1 * (score.square().mean() + wanted.square().mean())
        to_listen.zero_grad()
        gap.backward()
        to_listen.step()
