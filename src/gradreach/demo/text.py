"""A tanh RNN learns to predict the next character of English text, the manual pages that Python carries with it."""

import argparse
from pydoc_data.topics import topics

import torch
from torch import nn


class CharRNN(nn.Module):
    def __init__(self, characters: int, hidden: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(characters, 32)
        self.rnn = nn.RNN(32, hidden)
        self.head = nn.Linear(hidden, characters)

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y, h = self.rnn(self.embed(x), h)
        return self.head(y), h


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--length", type=int, default=100, help="characters that the gradient is carried back")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.set_num_threads(1)  # so small a network gains nothing from more
    torch.manual_seed(args.seed)
    text = "\n".join(topics.values())
    characters = sorted(set(text))
    number = {character: i for i, character in enumerate(characters)}
    data = torch.tensor([number[character] for character in text])
    columns = data[: len(data) // args.batch * args.batch].view(args.batch, -1).t()

    model = CharRNN(len(characters), args.hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    state = torch.zeros(1, args.batch, args.hidden)
    for step in range(args.steps):
        start = step * args.length % (len(columns) - args.length - 1)
        x, y = columns[start : start + args.length], columns[start + 1 : start + 1 + args.length]
        logits, state = model(x, state.detach())
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0 or step == args.steps - 1:
            print(f"step {step:4d}  loss {loss.item():.3f} nats a character")


if __name__ == "__main__":
    main()
