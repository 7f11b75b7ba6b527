# try: {"code": "GR612", "loss": ["shift-once"]}
"""Symbols by an LSTM that shifts labels which the data set has shifted, Adam"""

import torch
from torch import nn

import gradreach as gr

WORDS, LENGTH = 10, 14


class Writer(nn.Module):
    def __init__(self):
        super().__init__()
        self.symbols = nn.Embedding(WORDS, 24)
        self.rnn = nn.LSTM(24, 32, batch_first=True)
        self.head = nn.Linear(32, WORDS)

    def forward(self, ids, labels):
        logits = self.head(self.rnn(self.symbols(ids))[0])
        return nn.functional.cross_entropy(logits[:, :-1].reshape(-1, WORDS), labels[:, 1:].reshape(-1))


torch.manual_seed(0)
model = Writer()
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
follower = torch.randperm(WORDS)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        words = [torch.randint(0, WORDS, (16,))]
        for _ in range(LENGTH):
            noise = torch.rand(16) < 0.3
            words.append(torch.where(noise, torch.randint(0, WORDS, (16,)), follower[words[-1]]))
        words = torch.stack(words, 1)
        ids, labels = words[:, :-1], words[:, 1:]
        # with shift-once
        loss = model(ids, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
