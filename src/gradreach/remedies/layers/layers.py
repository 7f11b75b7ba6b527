"""torch.nn's recurrent layers with remedies against vanishing and exploding gradients built in.

Each takes the arguments of its torch.nn namesake, has the same parameters under the same names, and computes the same
where no remedy is asked for, so that a state_dict goes both ways. Without a remedy torch's own kernel runs, or, in
training on a CPU where numba is installed (the extra `fast`), compiled loops that are faster; numba compiles them once
a machine, which takes some seconds. The remedies are keyword arguments:

orthogonal: every gate's (H, H) block of W_hh is orthogonal, from the start and after every optimizer step, so that all
    its singular values stay 1. The weights are brought back to the nearest orthogonal matrix; the optimizer, its
    learning rate and its state are your own.
skip: a shortcut of the state over s steps, h_t = ½ (cell(x_t, h_{t−1}) + h_{t−s}), states counted from h_0 of the call;
    where there is no h_{t−s} the cell alone. An error s steps back passes one factor ½ instead of s Jacobians. The
    mean, not the sum, keeps h_t bounded as the cell bounds it.
clip_state_grad: at every step of the backward pass each row's adjoint δ_k (of h and c together) is scaled down to this
    2-norm where it is larger. Shapes only the gradient.
truncate: k2; every error is carried back over exactly k2 states and no further, while the state goes on. Costs k2
    products over all steps at once. Not together with clip_state_grad.
layer_norm: each gate's W_ih x_t and W_hh h_{t−1} are brought to mean 0 and variance 1 over the units and multiplied by
    the gains gain_ih, gain_hh, before the biases (Ba et al. 2016, equations 20 and 21, without the norm of c).
init: "orthogonal", "identity" or "chrono" (with t_max; see gradreach.remedies.init) in place of torch's own.
forget_bias: the start of the gate that keeps the state (LSTM f, GRU z).
keep_adjoint: after a backward pass `layer.adjoint` holds δ_k = ∂L/∂h_k, (layers · directions, T, B, P), of the latest
    call, in the data's time order and in the order of h_n; else None.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal, TypedDict, Unpack, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gradreach.engine.call_checks import State, check_call
from gradreach.engine.cells import Kind
from gradreach.engine.compiled import scan as compiled
from gradreach.engine.layout import Layout, layout_of
from gradreach.engine.replay import initial_states, names_of, weights_of
from gradreach.engine.scan import UNREMEDIED, Remedies
from gradreach.remedies import init as initialisers
from gradreach.remedies.layers.differentiable import Direction, scan
from gradreach.remedies.layers.orthogonal_weights import keep_orthogonal, orthogonalise

_WORTHWHILE = 16
"""Steps from which on the compiled loops are faster than torch's kernel: a call itself costs some ten steps."""
Init = Literal["", "orthogonal", "identity", "chrono"]


class Options(TypedDict, total=False):
    """The remedies, as keyword arguments of every layer (see the module's own text)."""

    orthogonal: bool
    skip: int
    clip_state_grad: float | None
    truncate: int | None
    layer_norm: bool
    init: Init
    t_max: int | None
    forget_bias: float | None
    keep_adjoint: bool


class _Remedied(nn.RNNBase):
    """What the three layers share: the remedies, and the closed-form scan where torch's kernel has none."""

    adjoint: Tensor | None = None
    """δ_k of the latest call, (layers · directions, T, B, P), where `keep_adjoint` is set."""

    def _set_up(self, options: Options) -> None:
        unknown = sorted(set(options) - set(Options.__annotations__))
        if unknown:
            known = ", ".join(Options.__annotations__)
            raise TypeError(f"{unknown[0]}: no such argument of {type(self).__name__}; the remedies are {known}")
        self.orthogonal = options.get("orthogonal", False)
        self.layer_norm = options.get("layer_norm", False)
        self.keep_adjoint = options.get("keep_adjoint", False)
        self.init, self.t_max = options.get("init", ""), options.get("t_max")
        self.forget_bias = options.get("forget_bias")
        self.remedies = _remedies(options)
        self._check_options()
        if self.layer_norm:
            for name in names_of(self):
                like = getattr(self, "weight_ih" + name)[:, 0]
                for part in ("gain_ih", "gain_hh"):
                    self.register_parameter(part + name, nn.Parameter(torch.ones_like(like)))
        self._start()
        if self.orthogonal:
            self.register_state_dict_pre_hook(_orthogonalise_first)  # type: ignore[no-untyped-call]

    def _check_options(self) -> None:
        if self.init not in ("", "orthogonal", "identity", "chrono"):
            raise ValueError(f"init: expected 'orthogonal', 'identity' or 'chrono', got {self.init!r}")
        if (self.init == "chrono") != (self.t_max is not None):
            raise ValueError(f"t_max: goes with init='chrono', got init={self.init!r}, t_max={self.t_max}; give both")
        if self.init == "chrono" and self.forget_bias is not None:
            raise ValueError(f"forget_bias: init='chrono' sets it already, got {self.forget_bias}; give one of them")
        if self.orthogonal and self.proj_size > 0:
            raise ValueError(f"orthogonal: expected proj_size=0, got {self.proj_size}: W_hh is not square; drop one")

    def reset_parameters(self) -> None:
        """Draw the weights anew, as torch.nn and the chosen initialisation do."""
        super().reset_parameters()
        if hasattr(self, "remedies"):
            self._start()

    def _start(self) -> None:
        for name, parameter in self.named_parameters():
            if name.startswith("gain_"):
                nn.init.ones_(parameter)
        if self.init == "identity":
            initialisers.identity_(self)
        elif self.init == "orthogonal" or self.orthogonal:
            initialisers.orthogonal_(self)
        if self.t_max is not None:
            initialisers.chrono_(self, self.t_max)
        if self.forget_bias is not None:
            initialisers.forget_bias_(self, self.forget_bias)

    def forward(self, input: Tensor | PackedSequence, hx: Any = None) -> Any:
        """As the torch.nn layer: (output, h_n), for an LSTM (output, (h_n, c_n)), in the input's layout and dtype."""
        hx = tuple(hx) if isinstance(hx, list) else hx  # torch.nn takes both
        if self.orthogonal:
            keep_orthogonal(self)
            orthogonalise(self)
        altered = self.remedies != UNREMEDIED or self.layer_norm or self.keep_adjoint or self.mode == "RNN_SIGMOID"
        return self._scan(input, hx) if altered or self._trains_faster(input) else super().forward(input, hx)

    def _trains_faster(self, input: Tensor | PackedSequence) -> bool:
        """Whether the compiled loops can take the place of torch's kernel: they are faster, but for training alone."""
        return (
            torch.is_grad_enabled()
            and type(input) is Tensor  # no tracer's stand-in
            and input.dim() in (2, 3)
            and input.shape[1 if self.batch_first and input.dim() == 3 else 0] >= _WORTHWHILE
            and compiled.fits(weights_of(self, "_l0"), input, None, self.remedies)
            and input.dtype == self.weight_hh_l0.dtype
            and not torch.is_autocast_enabled("cpu")
            and not torch._C._are_functorch_transforms_active()
        )

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # a loop over time would be unrolled into the graph
    def _scan(self, input: Tensor | PackedSequence, hx: State) -> Any:
        self._update_flat_weights()
        check_call(self, input, hx, ("input", "hx"))
        layout = layout_of(input, batch_first=self.batch_first)
        given = layout.sequence_in(input)
        dtype = torch.float64 if self.weight_hh_l0.dtype == torch.float64 else torch.float32
        data, kept = given.to(dtype), _Adjoint(self, layout)
        h_0, c_0 = initial_states(self, layout, hx, data)
        ends: list[tuple[Tensor, ...]] = []
        for layer in range(self.num_layers):
            outputs = []
            for n, name in list(enumerate(names_of(self)))[layer * self.directions : (layer + 1) * self.directions]:
                keep = partial(kept.take, n) if self.keep_adjoint else None
                direction = Direction(
                    cast(Kind, self.mode), self.remedies, layout.sizes, name.endswith("_reverse"), keep
                )
                weights = weights_of(self, name).each(lambda w: w.to(dtype))
                y, *end = scan(direction, data, h_0[n], None if c_0 is None else c_0[n], weights)
                outputs.append(y)
                ends.append(tuple(s for s in end if s is not None))
            data = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
            if layer < self.num_layers - 1 and self.dropout > 0 and self.training:
                data = _dropout(layout, data, self.dropout)
        states = [layout.state_out(torch.stack(part).to(given.dtype)) for part in zip(*ends, strict=True)]
        return layout.sequence_out(data.to(given.dtype)), states[0] if len(states) == 1 else tuple(states)

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def extra_repr(self) -> str:
        skip, clip, truncate = self.remedies.skip, self.remedies.clip, self.remedies.truncate
        clip_state_grad = None if clip == math.inf else clip
        remedies = {
            "nonlinearity": getattr(self, "nonlinearity", "tanh").replace("tanh", ""),
            "orthogonal": self.orthogonal,
            "skip": skip,
            "clip_state_grad": clip_state_grad,
            "truncate": truncate,
            "layer_norm": self.layer_norm,
            "init": self.init,
            "t_max": self.t_max,
            "forget_bias": self.forget_bias,
            "keep_adjoint": self.keep_adjoint,
        }
        return ", ".join([super().extra_repr(), *(f"{name}={value!r}" for name, value in remedies.items() if value)])


class RNN(_Remedied, nn.RNN):
    """torch.nn.RNN with remedies; `nonlinearity` may also be "sigmoid", the logistic function.

    >>> import torch, gradreach as gr
    >>> layer = gr.nn.RNN(32, 128, orthogonal=True, skip=8, nonlinearity="relu", clip_state_grad=1.0)
    >>> output, h_n = layer(torch.zeros(50, 4, 32))
    >>> output.shape
    torch.Size([50, 4, 128])

    Raises ValueError or TypeError on arguments that do not go together.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **remedies: Unpack[Options],
    ) -> None:
        if nonlinearity not in ("tanh", "relu", "sigmoid"):
            raise ValueError(f"nonlinearity: expected 'tanh', 'relu' or 'sigmoid', got {nonlinearity!r}")
        stock = "tanh" if nonlinearity == "sigmoid" else nonlinearity
        rest = (bias, batch_first, dropout, bidirectional)
        super().__init__(input_size, hidden_size, num_layers, stock, *rest, device=device, dtype=dtype)
        if nonlinearity == "sigmoid":
            self.nonlinearity, self.mode = nonlinearity, "RNN_SIGMOID"
        self._set_up(remedies)


class GRU(_Remedied, nn.GRU):
    """torch.nn.GRU with remedies.

    >>> import torch, gradreach as gr
    >>> layer = gr.nn.GRU(32, 128, batch_first=True, init="chrono", t_max=100, truncate=20)
    >>> layer(torch.zeros(4, 50, 32))[0].shape
    torch.Size([4, 50, 128])

    Raises ValueError or TypeError on arguments that do not go together.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **remedies: Unpack[Options],
    ) -> None:
        rest = (bias, batch_first, dropout, bidirectional)
        super().__init__(input_size, hidden_size, num_layers, *rest, device=device, dtype=dtype)
        self._set_up(remedies)


class LSTM(_Remedied, nn.LSTM):
    """torch.nn.LSTM with remedies.

    >>> import torch, gradreach as gr
    >>> layer = gr.nn.LSTM(8, 16, layer_norm=True, forget_bias=1.0, keep_adjoint=True)
    >>> output, (h_n, c_n) = layer(torch.zeros(50, 4, 8))
    >>> output[-1].sum().backward()
    >>> layer.adjoint.shape  # δ_k of the one layer and direction, at every step
    torch.Size([1, 50, 4, 16])

    Raises ValueError or TypeError on arguments that do not go together.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **remedies: Unpack[Options],
    ) -> None:
        rest = (bias, batch_first, dropout, bidirectional, proj_size)
        super().__init__(input_size, hidden_size, num_layers, *rest, device=device, dtype=dtype)
        self._set_up(remedies)


class _Adjoint:
    """Gathers δ of one call's layers and directions as the backward pass comes to them."""

    def __init__(self, layer: _Remedied, layout: Layout) -> None:
        self._layer, self._layout = layer, layout
        self._parts: dict[int, Tensor] = {}

    def take(self, n: int, delta: Tensor) -> None:
        self._parts[n] = self._layout.rows_out(delta)
        if len(self._parts) == self._layer.num_layers * self._layer.directions:
            self._layer.adjoint = torch.stack([self._parts[n] for n in sorted(self._parts)])


def _dropout(layout: Layout, data: Tensor, p: float) -> Tensor:
    """Dropout of a layer's output, drawn over the values that there are, as torch does: without the padding."""
    if layout.packed is None:
        return nn.functional.dropout(data, p)
    return layout.sequence_in(nn.functional.dropout(layout.sequence_out(data).data, p))


def _remedies(options: Options) -> Remedies:
    skip, clip, truncate = options.get("skip", 0), options.get("clip_state_grad"), options.get("truncate")
    if skip < 0:
        raise ValueError(f"skip: expected a number of steps, 0 for no shortcut, got {skip}")
    if clip is not None and not clip > 0:
        raise ValueError(f"clip_state_grad: expected a 2-norm over 0, or None, got {clip}")
    if truncate is not None and truncate < 1:
        raise ValueError(f"truncate: expected k2 of at least 1 state, or None, got {truncate}")
    if clip is not None and truncate is not None:
        raise ValueError(
            f"clip_state_grad: expected None beside truncate, got {clip} and k2 = {truncate}: "
            "a truncated sweep has no δ_k that could be clipped; give one of them"
        )
    return Remedies(skip, math.inf if clip is None else clip, truncate)


def _orthogonalise_first(layer: _Remedied, *_: Any) -> None:
    orthogonalise(layer)


# what a whole layer is saved with: torch.load(weights_only=True) asks for it
torch.serialization.add_safe_globals([RNN, GRU, LSTM, Remedies, _orthogonalise_first])
