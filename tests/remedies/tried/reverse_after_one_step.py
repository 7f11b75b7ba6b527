# try: {"code": "GR707", "loss": ["both-ends"]}
"""The first of 40 symbols by a tanh RNN of two directions, both read at the last, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(6, 16)
        self.rnn = nn.RNN(16, 24, batch_first=True, bidirectional=True)
        self.head = nn.Linear(48, 6)


torch.manual_seed(2)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        symbols = torch.randint(6, (32, 40))
        x = model.embed(symbols)
        state = model.rnn(x)[0][:, -1]  # not with both-ends
        # with both-ends
        loss = nn.functional.cross_entropy(model.head(state), symbols[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
