# try: {"code": "GR505", "loss": ["module-list"]}
"""Two GRU cells that stand in a dict of Python, the difference of two values of a sequence, RMSprop"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells, self.head = {"slow": nn.GRUCell(3, 12), "fast": nn.GRUCell(3, 12)}, nn.Linear(24, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        slow = fast = x.new_zeros(len(x), 12)
        for t in range(x.shape[1]):
            fast = self.cells["fast"](x[:, t], fast)
            if t % 2:
                slow = self.cells["slow"](x[:, t], slow)
        return self.head(torch.cat([slow, fast], 1))


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.RMSprop(model.parameters(), 1e-3)
# with module-list
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(32, 8, 3)
        loss = nn.functional.mse_loss(model(x), 3 * x[:, -1, :1] - 2 * x[:, -2, 1:2])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
