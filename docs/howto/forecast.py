"""An LSTM is to tell tomorrow's price from thirty days of price and volume. `--scaled` gives it inputs of size 1."""

import argparse

import torch
from torch import nn


class Forecaster(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, 32, batch_first=True)
        self.head = nn.Linear(32, 1)

    def forward(self, days: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(days)
        price: torch.Tensor = self.head(states[:, -1])
        return price.squeeze(1)


def history(days: int) -> torch.Tensor:
    """Price in dollars, with a year's wave and a memory of a few days; volume in shares, which foretells a move."""
    day = torch.arange(days)
    noise = torch.randn(days)
    moves = torch.stack([0.8 ** (lag + 1) * noise.roll(lag) for lag in range(8)]).sum(0)
    price = 240 + 60 * torch.sin(2 * torch.pi * day / 250) + 12 * moves
    volume = 2e6 * (1 + 0.3 * noise.roll(-1)).clamp(min=0.1)
    return torch.stack([price, volume], 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--scaled", action="store_true")
    args = parser.parse_args()

    torch.manual_seed(0)
    data = history(3000)
    target = (data[:, 0] - data[:, 0].mean()) / data[:, 0].std()
    if args.scaled:
        data = (data - data.mean(0)) / data.std(0)
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(args.steps):
        start = torch.randint(len(data) - 30, (64,))
        days = data[start.unsqueeze(1) + torch.arange(30)]
        loss = nn.functional.mse_loss(model(days), target[start + 30])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0 or step == args.steps - 1:
            print(f"step {step:4d}  mean square error {loss.item():.3f}")


if __name__ == "__main__":
    main()
