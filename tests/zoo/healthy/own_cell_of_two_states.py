"""A convolutional LSTM of the script's own over four pictures."""

import torch
from torch import nn

torch.manual_seed(0)
STEPS, SIDE, WIDTH = 4, 6, 8


class PictureCell(nn.Module):
    def __init__(self):
        super().__init__()
        self.gates = nn.Conv2d(1 + WIDTH, 4 * WIDTH, 3, padding=1)

    def forward(self, picture, state):
        h, c = state
        i, f, o, g = self.gates(torch.cat([picture, h], 1)).chunk(4, 1)
        c = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class Film(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = PictureCell(), nn.Linear(WIDTH, 1)

    def forward(self, film):
        state = (torch.zeros(len(film), WIDTH, SIDE, SIDE), torch.zeros(len(film), WIDTH, SIDE, SIDE))
        for picture in film.unbind(1):
            seen, state = self.cell(picture.unsqueeze(1), state)
        return self.head(seen.mean((2, 3))).squeeze(1)


film_net = Film()
optimizer = torch.optim.Adam(film_net.parameters(), 1e-2)
for _ in range(250):
    film = torch.randn(48, STEPS, SIDE, SIDE)
    loss = (film_net(film) - 3 * film.mean((1, 2, 3))).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
