# try: {"code": "GR706", "loss": ["softmax-axis"]}
"""Reading the word that a question asks for, by attention over the samples, RMSprop"""

import torch
from torch import nn

import gradreach as gr

WORDS, LENGTH = 8, 10


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.question = nn.Embedding(WORDS, 16), nn.Embedding(LENGTH, 16)
        self.places, self.head = nn.Parameter(torch.randn(LENGTH, 16)), nn.Linear(16, WORDS)
        self.attention = nn.Softmax(dim=0)

    def forward(self, x, asked):
        scores = ((self.words(x) + self.places) * self.question(asked)[:, None]).sum(-1)
        return self.head((self.attention(scores)[..., None] * self.words(x)).sum(1))


torch.manual_seed(3)
model = Model()
# with softmax-axis
optimizer = torch.optim.RMSprop(model.parameters(), lr=5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(400):
        x, asked = torch.randint(WORDS, (36, LENGTH)), torch.randint(LENGTH, (36,))
        loss = nn.functional.cross_entropy(model(x, asked), x[torch.arange(36), asked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
