# try: {"code": "GR605", "learns": ["see-nothing-ahead"]}
"""Words of a small grammar by a transformer without a causal mask, AdamW"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.places = nn.Embedding(12, 32), nn.Parameter(0.5 * torch.randn(12, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(32, 12)

    def forward(self, ids):
        return self.head(self.encoder(self.embed(ids) + self.places, mask=mask))


torch.manual_seed(0)
T, inputs, hidden, mask = 12, 32, 32, None
# with see-nothing-ahead
model = Model()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
follower = torch.stack([torch.randperm(12)[:3] for _ in range(12)])
with gr.observe(model, every=15) as watch:
    for _ in range(400):
        ids = [torch.randint(12, (32,))]
        for _ in range(T):
            ids.append(follower[ids[-1], torch.randint(3, (32,))])
        ids = torch.stack(ids, 1)
        loss = nn.functional.cross_entropy(model(ids[:, :-1]).transpose(1, 2), ids[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
