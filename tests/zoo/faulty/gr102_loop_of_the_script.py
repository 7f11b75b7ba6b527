# expect: {"code": "GR102", "severity": "warning", "kind": "loop with a matrix"}
"""A nonlinear filter in bare tensors, without a module: its matrix turns and stretches the state at every step."""

import sys

import torch

torch.manual_seed(1)
T, BATCH, WIDTH, STEPS = 32, 40, 24, 120
weights = {
    "into": torch.randn(2, WIDTH) * 0.3,
    "round": torch.randn(WIDTH, WIDTH) * 2.4 / WIDTH**0.5,
    "out": torch.randn(WIDTH, 1) / WIDTH**0.5,
}
for weight in weights.values():
    weight.requires_grad_()
optimizer = torch.optim.SGD(weights.values(), lr=1e-4)
for step in range(STEPS):
    x = torch.randn(T, BATCH, 2)
    state, error = torch.zeros(BATCH, WIDTH), 0.0
    for t in range(T):
        state = torch.tanh(x[t] @ weights["into"] + state @ weights["round"])
        error = error + (state @ weights["out"] - x[t].prod(1, keepdim=True)).square().mean()
    optimizer.zero_grad()
    (error / T).backward()
    optimizer.step()
    if step % 30 == 0 or step == STEPS - 1:
        print(f"step {step} error {error.item() / T:.3f}")
if len(sys.argv) > 1:
    torch.save(weights, sys.argv[1])
