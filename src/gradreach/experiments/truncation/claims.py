"""What is claimed of windows."""

from __future__ import annotations

from gradreach.experiments.claim import Claim, at_most, equal
from gradreach.experiments.intervals import FISHER, LEVEL, chance_of, interval
from gradreach.experiments.truncation.measure import WINDOW, Cost, H, Measured
from gradreach.remedies.layers import RNN
from gradreach.tasks.echo import echo
from gradreach.tasks.sensor import sensor


def claims(measured: Measured) -> tuple[Claim, ...]:
    """Cost, bias, what is trained, what is carried."""
    biased = max(abs(a - b) for a, b in zip(measured.actual, measured.reached, strict=True))
    asked = max(abs(measured.actual[k - 1] - b) for k, b in measured.measured)
    T, rounding = len(measured.actual), len(measured.actual) ** 2 * 8 * 2**-52
    cost_by = {(cost.k1, cost.k2): cost for cost in measured.costs}
    return (
        *(
            equal(
                f"Steps run a step of the sequence, k1 = {cost.k1}, k2 = {cost.k2}",
                predicted_work(cost),
                cost.ran / cost.steps,
                0.0,
                "k2/k1, less what the first windows have not behind them; a count",
            )
            for cost in measured.costs
        ),
        equal(
            "Bytes saved for backward, k2 = 128 over k2 = 64",
            2.0,
            cost_by[16, 128].saved / cost_by[16, 64].saved,
            2 * weights_saved() / cost_by[16, 64].saved,
            "proportional to k2, but for the weights, which are saved at any k2",
        ),
        at_most(f"|b(k) of gr.reach − error of tbptt's gradient|, k = 1 … {T}", biased, rounding, "rounding: T² H ε"),
        at_most("|b(k) of gr.truncation_bias − error of tbptt's gradient|", asked, rounding, "rounding: T² H ε"),
        at_most(
            f"Relative distance of gr.bptt's gradient from full BPTT's, {measured.signal} steps",
            measured.exact,
            measured.signal * H * 2**-52,
            "rounding: T H ε",
        ),
        *_learned(measured),
        *_carried(measured),
    )


def predicted_work(cost: Cost) -> float:
    """Steps run a step of the sequence where k1 divides k2 and the sequence: k2/k1 once k2 steps have gone by."""
    return sum(min(stop, cost.k2) for stop in range(cost.k1, cost.steps + 1, cost.k1)) / cost.steps


def weights_saved() -> int:
    """Bytes of the weights of the layer whose cost is measured."""
    return sum(weight.nbytes for weight in RNN(4, H).parameters())


def _learned(measured: Measured) -> tuple[Claim, ...]:
    n, solved = measured.lag, echo().solved or 0.0
    beyond, within = (
        [e <= solved for window in measured.windows if (window.k2 > n) == longer for e in window.errors]
        for longer in (True, False)
    )
    return (
        at_most(
            f"Were the window without effect: chance that echo at lag {n} is learned in {sum(beyond)} of "
            f"{len(beyond)} trainings with k2 > n and in {sum(within)} of {len(within)} with k2 ≤ n",
            chance_of(sum(beyond), len(beyond), sum(within), len(within)),
            LEVEL,
            FISHER,
        ),
    )


def _carried(measured: Measured) -> tuple[Claim, ...]:
    short = [window for window in measured.windows if window.k2 <= measured.lag]
    return (
        *(
            at_most(
                f"Error of a linear probe of the state on lag {window.k2}, trained with k2 = {window.k2}",
                interval(window.wrong[window.k2], window.probed)[1],
                0.5,
                f"chance; the upper end of the exact 95 % interval of {window.probed} states, each of its own sequence",
            )
            for window in short
        ),
        at_most(
            f"Error on the regime at the end of fresh sequences after one pass over {measured.signal} steps",
            interval(measured.regimes_wrong, measured.regimes)[1],
            sensor().chance,
            f"chance; the upper end of the exact 95 % interval of {measured.regimes} sequences; k1, k2 = {WINDOW}",
        ),
    )
