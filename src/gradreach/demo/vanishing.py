"""The adding problem: the sum of two marked values among a hundred, by a tanh RNN as torch starts it."""

import argparse

import torch
from torch import nn


class Adder(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.rnn = nn.RNN(2, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.rnn(x)
        total: torch.Tensor = self.head(y[:, -1])
        return total.squeeze(1)


def draw(batch: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Values with a marker at one of the first half and at one of the second, and the sum of the marked two."""
    rows = torch.arange(batch)
    value, marker = torch.rand(batch, length), torch.zeros(batch, length)
    marker[rows, torch.randint(0, length // 2, (batch,))] = 1.0
    marker[rows, torch.randint(length // 2, length, (batch,))] = 1.0
    return torch.stack([value, marker], -1), (value * marker).sum(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--length", type=int, default=100, help="length of the sequences")
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.set_num_threads(1)  # so small a network gains nothing from more
    torch.manual_seed(args.seed)
    model = Adder(args.hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(args.steps):
        x, y = draw(args.batch, args.length)
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        if step % 100 == 0 or step == args.steps - 1:
            print(f"step {step:4d}  mean square error {loss.item():.3f}  (0.167 by always saying 1)")


if __name__ == "__main__":
    main()
