"""Deep Q-learning on a walk of seven places with a replay memory and a target that follows slowly."""

import copy

import torch
from torch import nn

torch.manual_seed(0)
q = nn.Sequential(nn.Linear(7, 32), nn.ReLU(), nn.Linear(32, 2))
target = copy.deepcopy(q)
optimizer = torch.optim.Adam(q.parameters(), 2e-3)
eye = torch.eye(7)
place = 3
memory: list[tuple[int, int, float, int, float]] = []
for _ in range(500):
    greedy = q(eye[place]).argmax().item() if torch.rand(()) > 0.3 else torch.randint(0, 2, ()).item()
    after = min(max(place + (1 if greedy else -1), 0), 6)
    done = after in (0, 6)
    memory.append((place, int(greedy), float(after == 6), after, float(done)))
    place = 3 if done else after
    picked = [memory[i] for i in torch.randint(0, len(memory), (32,)).tolist()]
    here, act, gain, there, end = (torch.tensor(each) for each in zip(*picked, strict=True))
    with torch.no_grad():
        aim = gain + 0.9 * (1 - end) * target(eye[there]).amax(1)
    loss = nn.functional.smooth_l1_loss(q(eye[here]).gather(1, act[:, None]).squeeze(1), aim)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for slow, fast in zip(target.parameters(), q.parameters(), strict=True):
            slow.lerp_(fast, 0.02)
