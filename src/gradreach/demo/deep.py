"""Twenty logistic layers in a row classify points around five centres, with SGD and torch's own start."""

import argparse

import torch
from torch import nn

CLASSES, FEATURES = 5, 24


def stack(depth: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(FEATURES, width), nn.Sigmoid()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), nn.Sigmoid()]
    return nn.Sequential(*layers, nn.Linear(width, CLASSES))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--depth", type=int, default=20, help="logistic layers")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--width", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.set_num_threads(1)  # so small a network gains nothing from more
    torch.manual_seed(args.seed)
    centres = 1.5 * torch.randn(CLASSES, FEATURES)
    net = stack(args.depth, args.width)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for step in range(args.steps):
        label = torch.randint(CLASSES, (args.batch,))
        x = centres[label] + torch.randn(args.batch, FEATURES)
        loss = nn.functional.cross_entropy(net(x), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0 or step == args.steps - 1:
            print(f"step {step:4d}  loss {loss.item():.3f} nats  (ln 5 = 1.609 by chance)")


if __name__ == "__main__":
    main()
