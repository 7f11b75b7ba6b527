"""The law of a driven oscillator from its course: steps of a differential equation, its right side a small network."""

import sys

import torch
from torch import nn

torch.manual_seed(4)
T, BATCH, STEPS, DT = 40, 32, 150, 0.1


def course(law, start, force):
    """The states at each time by steps of the midpoint rule."""
    state, seen = start, []
    for push in force:
        half = state + 0.5 * DT * law(state, push)
        state = state + DT * law(half, push)
        seen.append(state)
    return torch.stack(seen)


def true_law(state, push):
    place, speed = state.unbind(-1)
    return torch.stack([speed, push - place - 0.2 * speed - 0.3 * place**3], -1)


first, second = nn.Linear(3, 32), nn.Linear(32, 2)


def learned_law(state, push):
    return second(torch.tanh(first(torch.cat([state, push[:, None]], -1))))


optimizer = torch.optim.Adam([*first.parameters(), *second.parameters()], lr=1e-2)
for step in range(STEPS):
    start, force = torch.randn(BATCH, 2), torch.randn(T, BATCH)
    with torch.no_grad():
        wanted = course(true_law, start, force)
    loss = (course(learned_law, start, force) - wanted).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.4f}")
if len(sys.argv) > 1:
    torch.save([first.state_dict(), second.state_dict()], sys.argv[1])
