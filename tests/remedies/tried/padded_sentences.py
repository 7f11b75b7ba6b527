# try: {"code": "GR705", "loss": ["last-real-step"]}
"""A tanh RNN that reads sentences after their padding, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.rnn, self.head = nn.Embedding(20, 16), nn.RNN(16, 32, batch_first=True), nn.Linear(32, 4)

    def forward(self, x):
        output, _ = self.rnn(self.embed(x))
        last = output[:, -1]
        # with last-real-step
        return self.head(last)


torch.manual_seed(2)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x, y = torch.randint(5, 20, (32, 50)), torch.randint(4, (32,))
        x[:, 1] = y + 1
        x[torch.arange(50) >= torch.randint(4, 10, (32, 1))] = 0
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
