"""An LSTM whose forget gate starts open names, at every step, the first symbol of the sequence."""

import argparse

import torch
from torch import nn


class Remember(nn.Module):
    def __init__(self, symbols: int, hidden: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(symbols, 16)
        self.lstm = nn.LSTM(16, hidden)
        self.head = nn.Linear(hidden, symbols)
        with torch.no_grad():
            self.lstm.get_parameter("bias_hh_l0")[hidden : 2 * hidden] = 2.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.lstm(self.embed(x))
        scores: torch.Tensor = self.head(y)
        return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--length", type=int, default=20, help="length of the sequences")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--hidden", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.set_num_threads(1)  # so small a network gains nothing from more
    torch.manual_seed(args.seed)
    symbols = 4
    model = Remember(symbols, args.hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(args.steps):
        x = torch.randint(symbols, (args.length, args.batch))
        first = x[:1].expand_as(x)
        loss = nn.functional.cross_entropy(model(x).flatten(0, 1), first.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        if step % 50 == 0 or step == args.steps - 1:
            print(f"step {step:4d}  loss {loss.item():.3f} nats a symbol")


if __name__ == "__main__":
    main()
