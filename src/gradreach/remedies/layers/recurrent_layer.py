"""What the recurrent layers of gr.nn share: the remedies, and the closed-form scan where torch's kernel has none."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, ClassVar, TypeAlias, Unpack

import torch
from torch import Tensor, nn
from torch._compile import _disable_dynamo
from torch.nn.utils.rnn import PackedSequence

from gradreach.engine import compiled_scan as compiled
from gradreach.engine.call_checks import State, check_call
from gradreach.engine.cells.cell import StockCell
from gradreach.engine.cells.registry import cells
from gradreach.engine.layout import Layout, layout_of
from gradreach.engine.replay import initial_states, names_of, weights_of
from gradreach.engine.scan import UNREMEDIED, Remedies
from gradreach.remedies import init as initialisers
from gradreach.remedies.layers.differentiable import LayerDirection, scan
from gradreach.remedies.layers.options import Options, check_weights_options, remedies_of
from gradreach.remedies.layers.orthogonal_weights import keep_orthogonal, orthogonalise

_WORTHWHILE = 16
"""Steps from which on the compiled loops are faster than torch's kernel: a call itself costs some ten steps."""
_CELLS = cells()

Sizes: TypeAlias = tuple[int, int, int, bool, bool, float, bool, int]
"""input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, as torch orders them."""


class RecurrentLayer(nn.RNNBase):
    """What the layers share: the remedies, and the closed-form scan where torch's kernel has none of them."""

    cell_name: ClassVar[str]
    """The kind of cell of a class that has only one."""
    adjoint: Tensor | None = None
    """δ_k of the latest call, (layers · directions, T, B, P), where `keep_adjoint` is set."""

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
        sizes = (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0)
        self._set_up(self.cell_name, sizes, remedies, device, dtype)

    def _set_up(
        self,
        mode: str,
        sizes: Sizes,
        options: Options,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        """Make the weights as torch's layer of these sizes does, then put the remedies in."""
        cell = _CELLS[mode]
        if cell.kernel is not None:
            nn.RNNBase.__init__(self, mode, *sizes, device, dtype)
        else:
            nn.RNNBase.__init__(self, "RNN_TANH", *sizes, "meta")  # for its checks; the weights are not its own
            self.mode = mode
            self._make_weights(cell, device, dtype)
        unknown = sorted(set(options) - set(Options.__annotations__))
        if unknown:
            known = ", ".join(Options.__annotations__)
            raise TypeError(f"{unknown[0]}: no such argument of {type(self).__name__}; the remedies are {known}")
        self.orthogonal = options.get("orthogonal", False)
        self.layer_norm = options.get("layer_norm", False)
        self.keep_adjoint = options.get("keep_adjoint", False)
        self.init, self.t_max = options.get("init", ""), options.get("t_max")
        self.forget_bias = options.get("forget_bias")
        self.remedies = remedies_of(options)
        check_weights_options(cell, options, self.proj_size)
        if self.layer_norm:
            for name in names_of(self):
                like = getattr(self, "weight_ih" + name)[:, 0]
                for part in ("gain_ih", "gain_hh") if cell.kind.hidden else ("gain_ih",):
                    self.register_parameter(part + name, nn.Parameter(torch.ones_like(like)))
        self._start()
        if self.orthogonal:
            self.register_state_dict_pre_hook(_orthogonalise_first)  # type: ignore[no-untyped-call]

    def _make_weights(self, cell: StockCell, device: torch.device | str | None, dtype: torch.dtype | None) -> None:
        """The parameters of a kind that torch has no kernel of, named, laid out and drawn as torch's are."""
        self._parameters.clear()
        self._flat_weights_names, self._all_weights = [], []
        H, GH = self.hidden_size, cell.gates * self.hidden_size
        for n, name in enumerate(names_of(self)):
            width = self.input_size if n < self.directions else H * self.directions
            shapes = {"weight_ih": (GH, width), "weight_hh": (GH, H), "bias_ih": (GH,), "bias_hh": (GH,)}
            parts = [part for part in shapes if self.bias or part.startswith("weight")]
            parts = [part for part in parts if cell.kind.hidden or part.endswith("ih")]
            for part in parts:
                weight = nn.Parameter(torch.empty(shapes[part], device=device, dtype=dtype))
                self.register_parameter(part + name, weight)
            self._all_weights.append([part + name for part in parts])
            self._flat_weights_names += self._all_weights[-1]
        self._init_flat_weights()
        self.reset_parameters()

    def flatten_parameters(self) -> None:
        """Lay the weights out for torch's kernel, where it has one of this kind."""
        if _CELLS[self.mode].kernel is not None:
            super().flatten_parameters()

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
        altered = (
            self.remedies != UNREMEDIED or self.layer_norm or self.keep_adjoint or _CELLS[self.mode].kernel is None
        )
        return self._scan(input, hx) if altered or self._trains_faster(input) else super().forward(input, hx)

    def _trains_faster(self, input: Tensor | PackedSequence) -> bool:
        """Whether the compiled loops can take the place of torch's kernel: they are faster, but for training alone."""
        return (
            torch.is_grad_enabled()
            and type(input) is Tensor  # no tracer's stand-in
            and input.dim() in (2, 3)
            and input.shape[1 if self.batch_first and input.dim() == 3 else 0] >= _WORTHWHILE
            and compiled.fits(_CELLS[self.mode], weights_of(self, "_l0"), input, None, self.remedies)
            and input.dtype == self.weight_ih_l0.dtype
            and not torch.is_autocast_enabled("cpu")
            and not torch._C._are_functorch_transforms_active()
        )

    @_disable_dynamo  # a loop over time would be unrolled into the graph; loads the compiler when called
    def _scan(self, input: Tensor | PackedSequence, hx: State) -> Any:
        self._update_flat_weights()
        check_call(self, input, hx, ("input", "hx"))
        layout = layout_of(input, batch_first=self.batch_first)
        given = layout.sequence_in(input)
        dtype = torch.float64 if self.weight_ih_l0.dtype == torch.float64 else torch.float32
        data, kept = given.to(dtype), _DeltaCollector(self, layout)
        h_0, c_0 = initial_states(self, layout, hx, data)
        ends: list[tuple[Tensor, ...]] = []
        for layer in range(self.num_layers):
            outputs = []
            for n, name in list(enumerate(names_of(self)))[layer * self.directions : (layer + 1) * self.directions]:
                keep = partial(kept.take, n) if self.keep_adjoint else None
                reverse = name.endswith("_reverse")
                direction = LayerDirection(_CELLS[self.mode], self.remedies, layout.sizes, reverse, keep)
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


class _DeltaCollector:
    """Gathers δ of one call's layers and directions as the backward pass comes to them."""

    def __init__(self, layer: RecurrentLayer, layout: Layout) -> None:
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


def _orthogonalise_first(layer: RecurrentLayer, *_: Any) -> None:
    orthogonalise(layer)


torch.serialization.add_safe_globals([Remedies, _orthogonalise_first])  # what a whole layer is saved with
