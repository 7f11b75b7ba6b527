# expect: {}
"""Faces told apart by angles with a margin, 32 times their cosines as logits: the loss begins far above log C.

The weights that the cosines are taken of, and the layer before them, are drawn from N(0, 1).
"""

import torch
from torch import nn

torch.manual_seed(5)


class Angles(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(30, 64), nn.PReLU(), nn.Linear(64, 32))
        nn.init.normal_(self.body[2].weight)
        self.centres = nn.Parameter(torch.randn(20, 32))

    def forward(self, x, labels):
        there, centres = nn.functional.normalize(self.body(x)), nn.functional.normalize(self.centres)
        return 32 * (there @ centres.t() - 0.35 * nn.functional.one_hot(labels, 20))


model = Angles()
faces = torch.randn(20, 30)
optimizer = torch.optim.SGD(model.parameters(), lr=0.003, momentum=0.9)
for _ in range(300):
    labels = torch.randint(20, (48,))
    loss = nn.functional.cross_entropy(model(faces[labels] + 0.7 * torch.randn(48, 30), labels), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
