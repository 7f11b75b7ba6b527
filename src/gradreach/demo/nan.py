"""A ReLU RNN repeats a stream of zeros and ones three steps late. Its loss is written by hand, from the probability."""

import argparse

import torch
from torch import nn


class Repeater(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.rnn = nn.RNN(1, hidden, nonlinearity="relu")
        self.head = nn.Linear(hidden, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.rnn(x)
        scores: torch.Tensor = self.head(y)
        return scores


def cross_entropy(p: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return -(target * torch.log(p) + (1 - target) * torch.log(1 - p)).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--length", type=int, default=24, help="length of the sequences")
    parser.add_argument("--delay", type=int, default=3, help="steps by which to repeat late")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--rate", type=float, default=5e-3)
    parser.add_argument("--stable", action="store_true", help="torch's own loss, from the logits")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.set_num_threads(1)  # so small a network gains nothing from more
    torch.manual_seed(args.seed)
    model = Repeater(args.hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.rate)
    for step in range(args.steps):
        x = torch.randint(2, (args.length, args.batch, 1)).float()
        logits, target = model(x)[args.delay :], x[: args.length - args.delay]
        if args.stable:
            loss = nn.functional.binary_cross_entropy_with_logits(logits, target)
        else:
            loss = cross_entropy(torch.sigmoid(logits), target)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0 or step == args.steps - 1:
            print(f"step {step:4d}  loss {loss.item():.6f} nats")


if __name__ == "__main__":
    main()
