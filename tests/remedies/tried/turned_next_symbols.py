# try: {"code": "GR712", "loss": ["turn-targets"]}
"""The next symbol by a GRU with the batch first, whose targets lie time first, as many as rows, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

SYMBOLS, SIZE = 12, 14


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.symbols = nn.Embedding(SYMBOLS, 20)
        self.gru, self.head = nn.GRU(20, 32, batch_first=True), nn.Linear(32, SYMBOLS)

    def forward(self, ids):
        return self.head(self.gru(self.symbols(ids))[0])


torch.manual_seed(3)
model, criterion = Model(), nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
follower = torch.randperm(SYMBOLS)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        stream = [torch.randint(0, SYMBOLS, (SIZE,))]
        for _ in range(SIZE):
            noise = torch.rand(SIZE) < 0.4
            stream.append(torch.where(noise, torch.randint(0, SYMBOLS, (SIZE,)), follower[stream[-1]]))
        stream = torch.stack(stream)
        output, target = model(stream[:-1].t()), stream[1:]
        # with turn-targets
        loss = criterion(output.flatten(0, 1), target.flatten())  # not with turn-targets
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
