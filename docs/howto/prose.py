"""An LSTM learns the next character of Python's manual, by SGD and with the clipping threshold `--clip`."""

import argparse
from pydoc_data.topics import topics

import torch
from torch import nn


class CharLSTM(nn.Module):
    def __init__(self, characters: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(characters, 32)
        self.lstm = nn.LSTM(32, 96)
        self.head = nn.Linear(96, characters)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(self.embed(x))
        scores: torch.Tensor = self.head(states)
        return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--clip", type=float, default=0.01)
    args = parser.parse_args()

    torch.manual_seed(0)
    text = "\n".join(topics.values())
    characters = sorted(set(text))
    number = {character: i for i, character in enumerate(characters)}
    data = torch.tensor([number[character] for character in text])
    model = CharLSTM(len(characters))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for step in range(args.steps):
        start = torch.randint(len(data) - 51, (16,))
        window = data[start + torch.arange(51).unsqueeze(1)]
        loss = nn.functional.cross_entropy(model(window[:-1]).flatten(0, 1), window[1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), args.clip)
        optimizer.step()
        if step % 100 == 0 or step == args.steps - 1:
            print(f"step {step:4d}  loss {loss.item():.3f} nats a character")


if __name__ == "__main__":
    main()
