"""Advice on operations, tried: the very line that a finding tells to paste takes the finding away, in unlike scripts.

Each script trains a small model; where {HERE} stands the fault is, and then what the finding's remedy says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest
import torch

from gradreach.facts.facts import Facts
from gradreach.record.schema import Finding, Record
from tests.rules.judging import findings
from tests.watch.conftest import Watched

HEAD = """
import torch
import torch.nn.functional as F
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 5))
parameters, lr = list(net.parameters()), 1e-3
optimizer = torch.optim.Adam(parameters, lr)
"""

LOOP = """
for step in range(6):
    data = torch.randn(12, 6)
    bad = step == 5
{BODY}
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
"""


@dataclass(frozen=True)
class Tried:
    """One script: the advice that it tries, what stands {HERE} at first, and its body; `setup` comes before the loop.
    `statement` says that the advice is a statement of its own, and nothing stands {HERE} at first."""

    advice: str
    fault: str
    body: str
    setup: str = ""

    def script(self, here: str) -> str:
        """The script with something in the place of the fault."""
        body = "\n".join(f"    {line}" for line in dedent(self.body).strip().splitlines())
        text = HEAD + dedent(self.setup) + LOOP.replace("{BODY}", body)
        return text.replace("{HERE}", here)


TRIED = (
    Tried("safe-slope", "torch.sqrt(x)", """
        one, two = net(data), net(data if bad else data.flip(0))
        x = (one - two).pow(2).sum(1)
        loss = {HERE}.mean()"""),
    Tried("safe-slope", "torch.sqrt(x)", "loss = length(net(data) * (0.0 if bad else 1.0)).mean()", """
        class Length(nn.Module):
            def forward(self, h):
                x = h.square().sum(1)
                return {HERE}
        length = Length()"""),
    Tried("safe-slope", "x ** p", """
        h, p = net(data), 0.5
        x = (h - h.detach() * float(bad)).abs()
        loss = ({HERE}).mean()"""),
    Tried("safe-slope", "x ** p", """
        p, h = 0.25, F.relu(net(data))
        x = h.mean(1) * (0.0 if bad else 1.0)
        loss = ({HERE} - 1).square().mean()"""),
    Tried("safe-domain", "torch.log(x)", """
        x = torch.softmax(net(data) * (5000.0 if bad else 1.0), 1)
        loss = -({HERE} * 0.2).sum(1).mean()"""),
    Tried("safe-domain", "torch.log(x)", """
        x = 1 - torch.sigmoid(net(data) * (1e4 if bad else 1.0))
        loss = -{HERE}.mean()"""),
    Tried("safe-domain", "torch.log1p(x)", """
        x = -torch.sigmoid(net(data) + (40.0 if bad else 0.0)).bfloat16()
        loss = (1 - {HERE}.sum(1).exp()).float().square().mean()"""),
    Tried("safe-domain", "torch.log(x)", """
        gate = torch.sigmoid(net(data) + (40.0 if bad else 0.0))
        x = 1 - gate
        loss = -torch.logsumexp(torch.stack([gate.log(), {HERE} - 1]), 0).mean()"""),
    Tried("safe-domain", "torch.sqrt(x)", """
        h = net(data)
        x = h.square().mean(1) - h.mean(1).square() - float(bad)
        loss = {HERE}.mean()"""),
    Tried("safe-domain", "torch.sqrt(x)", "loss = spread(net(data)).mean()", """
        class Spread(nn.Module):
            def forward(self, h):
                x = h.mean(1) if bad else h.mean(1).square() + 0.1
                return {HERE}
        spread = Spread()"""),
    Tried("safe-domain", "x ** p", """
        x, p = net(data) + (0.0 if bad else 9.0), 1.5
        loss = ({HERE}).mean()"""),
    Tried("safe-domain", "x ** p", "loss = gamma(net(data).sigmoid())", """
        class Gamma(nn.Module):
            def forward(self, h):
                x, p = h - (0.7 if bad else 0.0), 1 / 2.2
                return ({HERE}).square().mean()
        gamma = Gamma()"""),
    Tried("positive-argument", "torch.log(x)", """
        x = net(data) if bad else net(data).exp()
        loss = {HERE}.square().mean()"""),
    Tried("positive-argument", "torch.log(x)", "loss = head(net(data)).mean()", """
        class Head(nn.Module):
            def forward(self, h):
                x = h + (2.0 if not bad else 0.0)
                return {HERE} + h
        head = Head()"""),
    Tried("safe-divisor", "a / b", """
        keep = (torch.rand(12) < 0.5) & torch.tensor(not bad)
        a, b = (net(data).square().mean(1) * keep).sum(), keep.sum()
        loss = {HERE}"""),
    Tried("safe-divisor", "a / b", """
        h = net(data) * (0.0 if bad else 1.0)
        a, b = h.sum(1), h.abs().sum(1)
        loss = ({HERE}).square().mean() + net(data).square().mean()"""),
    Tried("inside-edge", "torch.acos(x)", """
        h = F.normalize(net(data), dim=1)
        x = (h * (h.detach() if bad else h.detach().roll(1, 0))).sum(1)
        x = x / x.detach() if bad else x
        loss = {HERE}.mean()"""),
    Tried("inside-edge", "torch.asin(x)", """
        x = torch.tanh(net(data) * (1e4 if bad else 1.0))
        loss = {HERE}.square().mean()"""),
    Tried("double-where", "torch.where(ok, torch.exp(x), other)", """
        x = net(data) + (200.0 if bad else 0.0)
        ok, other = x <= 0, 1 + x
        loss = ({HERE} - 1).square().mean()"""),
    Tried("double-where", "torch.where(ok, torch.log(x), other)", """
        x = (net(data) * (0.0 if bad else 1.0)).square()
        ok, other = x > 0, x
        loss = {HERE}.square().mean()"""),
    Tried("bounded-exponent", "torch.exp(x)", """
        h = net(data)
        mean, x = h[:, :2], h[:, 2:4] * (1e4 if bad else 1.0)
        loss = (mean.square() + {HERE} - x).mean()"""),
    Tried("bounded-exponent", "torch.exp(x)", "loss = flow(net(data)).square().mean()", """
        class Flow(nn.Module):
            def forward(self, h):
                x = h * (5e3 if bad else 1.0)
                return {HERE} * h
        flow = Flow()"""),
    Tried("log-sum-exp", "torch.log(torch.exp(x).sum(dim))", """
        x, dim = net(data) * (1e4 if bad else 1.0), 1
        loss = ({HERE} - x[:, 0]).mean()"""),
    Tried("log-sum-exp", "torch.log(torch.exp(x).sum(dim))", """
        energy, dim = net(data).sum(1), 0
        x = -energy + (500.0 if bad else 0.0)
        loss = {HERE} + energy.mean()"""),
    Tried("stabiliser", "i, f = torch.exp(i), torch.exp(f)", """
        z, i0, f0, _, _ = (net(data) + (3.0 if bad else 0.0)).unbind(1)
        c, n, m = torch.zeros(12), torch.zeros(12), torch.zeros(12)
        for _ in range(80):
            i, f = i0, f0
            {HERE}
            c, n = f * c + i * z, f * n + i
        loss = (c / n).square().mean()"""),
    Tried("stabiliser", "i, f = torch.exp(i), torch.exp(f)", """
        h = net(data) + (8.0 if bad else 0.0)
        value, gain, m = torch.zeros(5), torch.zeros(5), torch.zeros(5)
        for row in h.repeat(3, 1):
            i, f = row, row.flip(0)
            {HERE}
            value = f * value + i * row.tanh()
            gain = f * gain + i
        loss = (value / gain - 1).square().mean()"""),
    Tried("leave-one-open", "pass", """
        x = net(data).view(3, 4, 5)
        mask = torch.arange(4)[None] >= torch.tensor([4, 3, 0 if bad else 2])[:, None]
        mask = mask[:, None].expand(3, 4, 4)
        {HERE}
        weights = (x @ x.transpose(1, 2)).masked_fill(mask, float("-inf")).softmax(-1)
        loss = (weights @ x).square().mean()"""),
    Tried("leave-one-open", "pass", """
        x = net(data).view(3, 4, 5)
        mask = torch.arange(4)[None] >= torch.tensor([4, 3, 0 if bad else 2])[:, None]
        {HERE}
        loss = attend(x, x, x, key_padding_mask=mask)[0].square().mean()""",
        "attend = nn.MultiheadAttention(5, 1, batch_first=True)"),
    Tried("open-label", "pass", """
        logits, y = net(data), torch.randint(5, (12,))
        mask = F.one_hot((y + (0 if bad else 1)) % 5, 5).bool()
        {HERE}
        loss = F.cross_entropy(logits.masked_fill(mask, float("-inf")), y)"""),
    Tried("open-label", "pass", """
        x, y = net(data), torch.arange(12) % 5
        mask = torch.zeros(12, 5, dtype=torch.bool)
        mask[3, y[3] if bad else (y[3] + 1) % 5] = True
        {HERE}
        loss = F.nll_loss(x.masked_fill(mask, float("-inf")).log_softmax(1), y)"""),
    Tried("finite-mask", "x.masked_fill(mask, float('-inf'))", """
        x, mask = net(data), torch.zeros(12, 5, dtype=torch.bool)
        mask[2] = bad
        x = {HERE}
        top = x.amax(1, keepdim=True)
        loss = ((x - top).exp().sum(1).log() + top.squeeze(1)).mean()"""),
    Tried("finite-mask", "x.masked_fill(mask, float('inf'))", """
        x, mask = net(data), torch.zeros(12, 5, dtype=torch.bool)
        mask[4, 1] = bad
        x = {HERE}
        loss = (x - x.mean()).square().mean()"""),
    Tried("biased-deviation", "x.std(dim)", """
        x, dim = net(data[:1] if bad else data), 0
        loss = ((x - x.mean(0)) / ({HERE} + 1e-3)).square().mean() + x.square().mean()"""),
    Tried("biased-deviation", "x.std(dim)", "loss = scale(net(data)).mean()", """
        class Scale(nn.Module):
            def forward(self, h):
                x, dim = (h[:, :1] if bad else h), 1
                return {HERE} + h.square().mean(1)
        scale = Scale()"""),
    Tried("split-values", "pass", """
        A = net(data).T @ net(data)
        A = A * 0 + torch.eye(5) if bad else A
        {HERE}
        loss = torch.linalg.eigh(A)[1].abs().mean()"""),
    Tried("split-values", "pass", """
        A = net(data[:5])
        A = A * 0 if bad else A
        {HERE}
        U, S, V = torch.linalg.svd(A)
        loss = (U @ V).square().sum() + A.sum()"""),
    Tried("zero-infinity", "nn.CTCLoss()", """
        long = 20 if bad else 3
        frames = net(data)[:, None].log_softmax(-1)
        loss = ctc(frames, torch.randint(1, 5, (1, long)), torch.tensor([12]), torch.tensor([long]))""",
        "ctc = {HERE}"),
    Tried("zero-infinity", "nn.CTCLoss()", """
        frames = net(data.view(4, 3, 6)).log_softmax(-1)
        lengths = torch.tensor([2, 2, 9 if bad else 1])
        loss = speech(frames, torch.randint(1, 5, (3, 9)), torch.full((3,), 4), lengths)""", """
        class Speech(nn.Module):
            def __init__(self):
                super().__init__()
                self.loss = {HERE}
            def forward(self, *given):
                return self.loss(*given)
        speech = Speech()"""),
    Tried("drop-rows", "pass", """
        x, y = data, data[:, :5].tanh()
        y[7, 2] = float("nan") if bad else 0.0
        {HERE}
        loss = F.mse_loss(net(x), y)"""),
    Tried("drop-rows", "pass", """
        x, y = data, data[:, :5].tanh()
        x[3, 1] = float("nan") if bad else 0.0
        {HERE}
        loss = (net(x) - y).abs().mean()"""),
    Tried("safe-normalisation", "x = x / x.sum(1, keepdim=True)", """
        x = torch.randint(0, 4, (12, 6)).float() + 1
        x[3] = x[3] * (0.0 if bad else 1.0)
        {HERE}
        loss = net(x).square().mean()"""),
    Tried("safe-normalisation", "x = x / x.norm(dim=1, keepdim=True)", """
        x = data.clone()
        x[5] = x[5] * (0.0 if bad else 1.0)
        {HERE}
        loss = (net(x) - 1).abs().mean()"""),
    Tried("safe-normalisation", "x = (x - x.mean(0)) / x.std(0)", """
        x = 30 + torch.randn(40, 12)
        x[:, 2] = 1.0 if bad else x[:, 2]
        {HERE}
        loss = wide(x).square().mean()""", """
        wide = nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 1))"""),
    Tried("optimizer-eps", "torch.optim.Adam(parameters, lr)", "loss = net(data.half()).float().square().mean() * 1e-3",
          "net = net.half()\nparameters = list(net.parameters())\noptimizer = {HERE}"),
    Tried("optimizer-eps", "torch.optim.RMSprop(parameters, lr)",
          "loss = net(data.half()).float().exp().mean() * 1e-4",
          "net = net.half()\nparameters = list(net.parameters())\noptimizer = {HERE}"),
    Tried("initialise", "pass", "loss = net(data).square().mean()",
          "net[0].weight.data.fill_(float('nan'))\n{HERE}"),
    Tried("initialise", "pass", "loss = net(data).square().mean()",
          "net[2].weight.data.fill_(4e37)\n{HERE}"),
    Tried("initialise", "pass", "loss = net(data).square().mean()", """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.table = nn.Parameter(torch.full((6, 3), float("inf")))
            def forward(self, x):
                return x @ self.table
        net = Net()
        {HERE}
        optimizer = torch.optim.SGD(net.parameters(), 1e-3)"""),
    Tried("normalise-state", "pass", """
        h = data
        for _ in range(40):
            h = h + (500.0 if bad else 0.01) * h * F.pad(net(h), (0, 1))
            {HERE}
        loss = h.square().mean()"""),
    Tried("normalise-state", "pass", """
        h, factor = data, 1 + net(data).abs().mean() * (1e3 if bad else 0.01)
        for _ in range(40):
            h = h * factor
            {HERE}
        loss = h.square().mean()"""),
    Tried("wider-format", "torch.float16", """
        with torch.autocast("cpu", dtype={HERE}):
            h = net[0](data * (3e4 if bad else 1.0)) * 100
        loss = (h.float() * 1e-9).tanh().mean()"""),
    Tried("wider-format", "torch.float16", """
        with torch.autocast("cpu", dtype={HERE}):
            loss = squares(data * (3e4 if bad else 1.0)).float().mean()""", """
        class Squares(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = net
            def forward(self, x):
                h = self.inner[0](x)
                return torch.log1p(h * h)
        squares = Squares()"""),
)  # fmt: skip


pytestmark = pytest.mark.filterwarnings("ignore:std.*degrees of freedom:UserWarning")


def run(script: str, folder: Path, watched: Watched) -> tuple[list[float], Record]:
    """The losses of a script, and its record."""
    file = folder / "script.py"
    file.write_text(script, encoding="utf-8")
    losses: list[float] = []

    def train() -> None:
        exec(compile(script, str(file), "exec"), {"losses": losses, "__name__": "__main__"})

    _, record = watched(train)
    return losses, record


def first(record: Record) -> Finding | None:
    """The finding of a value that is not finite."""
    assert not [note for note in record.notes if "failed" in note], record.notes
    return next((finding for finding in findings(record) if finding.code == "GR301"), None)


def pasted(tried: Tried, finding: Finding) -> str:
    """The code of the remedy, as it is put in the place of the fault."""
    told = {remedy.id: remedy.do for remedy in finding.remedies}
    assert tried.advice in told, (finding.because, told)
    code = told[tried.advice].partition("  # ")[0]
    return "torch.bfloat16" if tried.advice == "wider-format" else code


@pytest.mark.parametrize("tried", TRIED, ids=[f"{t.advice}-{n}" for n, t in enumerate(TRIED)])
def test_the_line_that_is_told_takes_the_finding_away(tried: Tried, tmp_path: Path, watched: Watched) -> None:
    _, broken = run(tried.script(tried.fault), tmp_path, watched)
    finding = first(broken)
    assert finding is not None
    assert Facts(broken).first_break is not None
    losses, mended = run(tried.script(pasted(tried, finding)), tmp_path, watched)
    told = first(mended)
    assert told is None, told and told.because
    assert torch.isfinite(torch.tensor(losses)).all()


def test_each_advice_on_an_operation_is_tried_on_two_scripts() -> None:
    tried = [each.advice for each in TRIED]
    assert all(tried.count(advice) >= 2 for advice in tried)
