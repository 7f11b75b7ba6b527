# expect: {"code": "GR505", "module": "stack.cells[0]", "kind": "GRUCell", "parameters": 8}
"""The cells of a stack stand in a list of Python, so that its optimizer has only the layer that reads them."""

import torch
from torch import Tensor, nn


class Stack(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells = [nn.GRUCell(3, 16), nn.GRUCell(16, 16)]
        self.head = nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        states = [x.new_zeros(len(x), 16) for _ in self.cells]
        for t in range(x.shape[1]):
            below = x[:, t]
            for i, cell in enumerate(self.cells):
                below = states[i] = cell(below, states[i])
        return self.head(below)[:, 0]


torch.manual_seed(0)
stack = Stack()
optimizer = torch.optim.Adam(stack.parameters(), 1e-2)
for _ in range(120):
    x = torch.randn(32, 6, 3)
    loss = nn.functional.mse_loss(stack(x), x[:, -1, 0] + x[:, -2, 1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
