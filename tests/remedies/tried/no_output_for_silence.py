# try: {"code": "GR613", "learns": ["blank-index"]}
"""Digits in a stream by a GRU under CTC, with an output for each digit and none for silence, Adam"""

import torch
from torch import nn

import gradreach as gr


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(4, 24, bidirectional=True)
        self.head = nn.Linear(48, 4)  # not with blank-index
        # with blank-index: self.head = nn.Linear(48, 5)

    def forward(self, x):
        return self.head(self.rnn(x)[0]).log_softmax(-1)


torch.manual_seed(0)
model = Reader()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
criterion = nn.CTCLoss()
# with blank-index
with gr.observe(model, every=15) as watch:
    for _ in range(150):
        lengths, targets, x = torch.randint(2, 5, (24,)), torch.randint(0, 4, (24, 4)), 0.1 * torch.randn(20, 24, 4)
        for row, length in enumerate(lengths.tolist()):
            for at in range(length):
                x[5 * at + 1 : 5 * at + 3, row, targets[row, at]] += 2.0
        loss = criterion(model(x), targets, torch.full((24,), 20), lengths)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
