"""Who liked which film, by the inner product of two tables that start small, scored as one batched product."""

import torch
from torch import nn

torch.manual_seed(1)
tastes, kinds = torch.randn(300, 4), torch.randn(200, 4)


class Taste(nn.Module):
    def __init__(self):
        super().__init__()
        self.viewer, self.film = nn.Embedding(300, 32), nn.Embedding(200, 32)
        for table in (self.viewer, self.film):
            nn.init.normal_(table.weight, std=0.3)

    def forward(self, viewers, films):
        return torch.bmm(self.viewer(viewers)[:, None], self.film(films)[:, :, None]).flatten()


model = Taste()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for _ in range(400):
    viewers, films = torch.randint(300, (256,)), torch.randint(200, (256,))
    liked = ((tastes[viewers] * kinds[films]).sum(-1) > 0).float()
    loss = nn.functional.binary_cross_entropy_with_logits(model(viewers, films), liked)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
