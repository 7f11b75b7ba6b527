# try: {"code": "GR511", "loss": ["make-optimizer-once"]}
"""The symbol before the last one by a GRU, with an SGD with momentum that a function for one step makes"""

import torch
from torch import nn

import gradreach as gr


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(6, 12)
        self.rnn = nn.GRU(12, 32, batch_first=True)
        self.head = nn.Linear(32, 4)

    def forward(self, tokens):
        return self.head(self.rnn(self.embed(tokens))[0][:, -1])


def step(tokens, targets):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)  # not with make-optimizer-once
    loss = nn.functional.cross_entropy(model(tokens), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


torch.manual_seed(0)
model = Reader()
# with make-optimizer-once
with gr.observe(model, every=10) as watch:
    for _ in range(300):
        tokens = torch.randint(4, (32, 6))
        step(tokens, tokens[:, -2])
