"""A GRU is to add what came 2 and 16 steps ago in endless streams, learning from pieces of `--window` steps."""

import argparse

import torch
from torch import nn


class Echo(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 64, batch_first=True)
        self.head = nn.Linear(64, 1)

    def forward(self, x: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        states, state = self.gru(x, state)
        return self.head(states), state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--window", type=int, default=8)
    args = parser.parse_args()

    torch.manual_seed(0)
    model = Echo()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    streams = torch.randint(0, 2, (32, args.steps * args.window + 16, 1)).float() - 0.5
    state = torch.zeros(1, 32, 64)
    for step in range(args.steps):
        at = 16 + step * args.window
        x, near, far = (streams[:, at - back : at - back + args.window] for back in (0, 2, 16))
        output, state = model(x, state.detach())
        loss = nn.functional.mse_loss(output, near + far)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 200 == 0 or step == args.steps - 1:
            print(f"step {step:4d}  mean square error {loss.item():.4f}  (0.25 by the near one alone)")


if __name__ == "__main__":
    main()
