"""A model and a probe of its hidden values, stepped by one function: the probe's pass leaves gradients in the model,
which are cleared before its own."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)
body, head, probe = nn.Sequential(nn.Linear(6, 32), nn.Tanh()), nn.Linear(32, 3), nn.Linear(32, 1)
model = nn.ModuleList([body, head])
of_model, of_probe = torch.optim.Adam(model.parameters(), 5e-3), torch.optim.Adam(probe.parameters(), 5e-3)


def step(loss: Tensor, optimizer: torch.optim.Optimizer, part: nn.Module) -> None:
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(part.parameters(), 5.0)
    optimizer.step()


for _ in range(150):
    x = torch.randn(64, 6)
    step(nn.functional.cross_entropy(head(body(x)), x[:, :3].argmax(1)), of_model, model)
    step(nn.functional.mse_loss(probe(body(x))[:, 0], x[:, 0] - x[:, 4]), of_probe, probe)
