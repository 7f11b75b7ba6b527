# try: {"code": "GR602", "loss": ["scale-logits"]}
"""The next of twenty symbols by the cosines of a GRU's state to their embeddings, SGD with momentum"""

import torch
from torch import nn
from torch.nn import functional as F

import gradreach as gr

torch.manual_seed(0)


class Next(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.rnn = nn.Embedding(20, 24), nn.GRU(24, 24, batch_first=True)

    def forward(self, x):
        state = self.rnn(self.embed(x))[0][:, -1]
        logits = F.normalize(state, dim=1) @ F.normalize(self.embed.weight, dim=1).T
        # with scale-logits
        return logits  # noqa: RET504


model = Next()
optimizer = torch.optim.SGD(model.parameters(), 0.5, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = (torch.randint(0, 20, (48, 1)) + 3 * torch.arange(5)) % 20
        loss = F.cross_entropy(model(x[:, :4]), x[:, 4])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
