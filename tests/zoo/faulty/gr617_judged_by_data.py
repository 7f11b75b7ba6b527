# expect: {"code": "GR617", "severity": "warning", "module": "decoder"}
"""A sequence model whose listener, trained in turns with it, is handed the .data of what it says."""

import torch
from torch import Tensor, nn


class Speaker(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.GRU(6, 32, batch_first=True)
        self.decoder = nn.Linear(32, 6)


class Listener(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(6, 24, batch_first=True)
        self.score = nn.Linear(24, 1)

    def forward(self, said: Tensor) -> Tensor:
        score: Tensor = self.score(self.rnn(said)[1][-1])
        return score


torch.manual_seed(0)
speaker, listener = Speaker(), Listener()
to_speak = torch.optim.RMSprop(speaker.parameters(), lr=1e-3)
to_listen = torch.optim.RMSprop(listener.parameters(), lr=5e-4)
for _step in range(200):
    phase = 6.28 * torch.rand(32, 1, 6) + torch.arange(12).view(1, 12, 1) / 3
    wave, heard = torch.sin(phase), torch.sin(phase) + 0.2 * torch.randn(32, 12, 6)

    said = speaker.decoder(speaker.encoder(heard)[0])
    to_speak.zero_grad()
    loss = -listener(said.data).mean() + 5 * (said - wave).abs().mean()
    loss.backward()
    to_speak.step()

    said = speaker.decoder(speaker.encoder(heard)[0])
    to_listen.zero_grad()
    gap = listener(said.data).mean() - listener(wave).mean() + 0.1 * listener(wave).square().mean()
    gap.backward()
    to_listen.step()
