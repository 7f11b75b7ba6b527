"""Embeddings are to tell how far apart two samples lie in five of twenty features. `--safe` keeps the root from 0."""

import argparse

import torch
from torch import nn


def distance(a: torch.Tensor, b: torch.Tensor, safe: bool) -> torch.Tensor:
    squares = (a - b).square().sum(1)
    if safe:
        squares = squares + 1e-8
    return torch.sqrt(squares)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--safe", action="store_true")
    args = parser.parse_args()

    torch.manual_seed(1)
    samples = torch.randn(2000, 20)
    model = nn.Sequential(nn.Linear(20, 128), nn.ReLU(), nn.Linear(128, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(args.steps):
        first, second = samples[torch.randint(2000, (2, 16))]
        told = distance(model(first), model(second), args.safe)
        loss = nn.functional.mse_loss(told, (first - second)[:, :5].norm(dim=1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0 or step == args.steps - 1:
            print(f"step {step:4d}  mean square error {loss.item():.3f}")


if __name__ == "__main__":
    main()
