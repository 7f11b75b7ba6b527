# try: {"code": "GR510", "loss": ["rows-anew"]}
"""Next symbols by an LSTM, of pieces of a text that is its own iterator, RMSprop"""

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

import gradreach as gr


class Pieces(IterableDataset):
    def __init__(self, text):
        self.text = text
        self.pieces = self.open()

    def open(self):
        yield from self.text.split(10)

    # with rows-anew
    def __iter__(self):  # not with rows-anew
        return self  # not with rows-anew

    def __next__(self):  # not with rows-anew
        return next(self.pieces)  # not with rows-anew


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.rnn = nn.Embedding(7, 12), nn.LSTM(12, 24, batch_first=True)
        self.head = nn.Linear(24, 7)

    def forward(self, x):
        return self.head(self.rnn(self.embed(x))[0])


torch.manual_seed(0)
text = torch.tensor([0, 3, 1, 4, 1, 5, 2, 6, 5]).repeat(500)[:3200]
model = Net()
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
loader = DataLoader(Pieces(text), batch_size=16)
with gr.observe(model, every=3) as watch:
    for _ in range(8):
        for x in loader:
            loss = nn.functional.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
