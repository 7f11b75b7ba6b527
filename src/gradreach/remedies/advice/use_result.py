"""Use what a part puts out, and not only its penalty."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(module: str, mean: str = "", log_variance: str = "") -> str:
    if not log_variance:
        return f"# give what follows the result of `{module}`, in place of what `{module}` was given"
    mu, logvar = _name(mean), _name(log_variance)
    if mu == logvar:
        mu, logvar = "mu", "logvar"
    return (
        f"z = {mu} + torch.randn_like({mu}) * ({logvar} / 2).exp()\n"
        "# give the decoder z, with its gradient, not what z was made of: recon = decoder(z)"
    )


def _name(module: str) -> str:
    name = module.rpartition(".")[2]
    return name if name.isidentifier() else ""


USE_RESULT = Advice(
    id="use-result",
    does="what is compared then depends on it, and trains it",
    code=_code,
    answers=("GR616",),
    unfit="Where the part is left over: take it away, and its penalty with it.",
)
