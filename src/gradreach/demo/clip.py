"""A GRU learns to predict the next character of English text, with SGD and a clipping threshold from another loop."""

import argparse
from pydoc_data.topics import topics

import torch
from torch import nn


class CharGRU(nn.Module):
    def __init__(self, characters: int, hidden: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(characters, 32)
        self.gru = nn.GRU(32, hidden)
        self.head = nn.Linear(hidden, characters)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.gru(self.embed(x))
        scores: torch.Tensor = self.head(y)
        return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--length", type=int, default=40, help="characters in a sequence")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=96)
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--clip", type=float, default=1e-4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.set_num_threads(1)  # so small a network gains nothing from more
    torch.manual_seed(args.seed)
    text = "\n".join(topics.values())
    characters = sorted(set(text))
    number = {character: i for i, character in enumerate(characters)}
    data = torch.tensor([number[character] for character in text])
    model = CharGRU(len(characters), args.hidden)
    optimizer = torch.optim.SGD(model.parameters(), lr=args.rate)
    for step in range(args.steps):
        start = torch.randint(len(data) - args.length - 1, (args.batch,))
        window = data[start + torch.arange(args.length + 1).unsqueeze(1)]
        loss = nn.functional.cross_entropy(model(window[:-1]).flatten(0, 1), window[1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), args.clip)
        optimizer.step()
        if step % 50 == 0 or step == args.steps - 1:
            print(f"step {step:4d}  loss {loss.item():.3f} nats a character")


if __name__ == "__main__":
    main()
