# expect: {"code": "GR605", "severity": "warning", "module": "net.symbols", "T": 12}
"""A causal transformer over codes, whose targets are the codes that it is given."""

import torch
from torch import nn

torch.manual_seed(0)
CODES, LENGTH = 16, 12


class Prior(nn.Module):
    def __init__(self):
        super().__init__()
        self.symbols, self.places = nn.Embedding(CODES, 32), nn.Parameter(0.1 * torch.randn(LENGTH, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, CODES)
        self.mask = nn.Transformer.generate_square_subsequent_mask(LENGTH)

    def forward(self, codes):
        return self.head(self.layers(self.symbols(codes) + self.places, mask=self.mask, is_causal=True))


net = Prior()
optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
follower = torch.randint(0, CODES, (CODES,))
for _ in range(250):
    codes = [torch.randint(0, CODES, (24,))]
    for _ in range(LENGTH - 1):
        noise = torch.rand(24) < 0.2
        codes.append(torch.where(noise, torch.randint(0, CODES, (24,)), follower[codes[-1]]))
    codes = torch.stack(codes, 1)
    loss = nn.functional.cross_entropy(net(codes).reshape(-1, CODES), codes.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
