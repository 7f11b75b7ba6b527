"""What the compiled loops over time are made of: some rows times a matrix, and loops over the units of a row.

All compiled by numba, for vectors as wide as this machine's. Nothing here checks a bound: see `loops`.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal
from typing import no_type_check

import numpy as np
from jaxtyping import Float
from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numba.np.arrayobj import populate_array

_FEATURES = binding.get_host_cpu_features()
_BYTES = 64 if _FEATURES.get("avx512f") else 32 if _FEATURES.get("avx") else 16
_PAIR = 2  # vectors across a panel
_ROWS = 8 if _BYTES == 64 else 6  # the registers hold _PAIR × _ROWS sums, a line of the panel and one factor

part = njit(nogil=True, error_model="numpy", fastmath={"contract"}, forceinline=True)


@intrinsic
@no_type_check
def view(_, a, _start, _size):
    """`size` elements of a's memory from element `start` on. Unlike a slice, it keeps no count of its uses: threads
    would contend for that."""
    row = types.Array(a.dtype, 1, "C")

    def generate(context, b, signature, args):
        whole = cgutils.create_struct_proxy(signature.args[0])(context, b, args[0])
        made = cgutils.create_struct_proxy(row)(context, b)
        step = ir.IntType(64)(a.dtype.bitwidth // 8)
        data = b.gep(whole.data, [args[1]])
        populate_array(made, data=data, shape=[args[2]], strides=[step], itemsize=step, meminfo=None)
        return made._getvalue()

    return row(a, types.int64, types.int64), generate


@intrinsic
@no_type_check
def _tile(_, out, a, panel, _rows, _K, _width, _stride):
    """out[r, :] = Σ_k a[r, k] panel[k, :] for up to _ROWS rows, `stride` apart in a and `width` in out.

    Written in LLVM's own terms: the compiler does not find from loops how to keep the sums in registers. Each product
    is fused with its sum in the order of k, so a row's figures do not depend on how many rows there are.
    """
    bits = a.dtype.bitwidth
    lanes = 8 * _BYTES // bits

    def generate(context, b, signature, args):
        place, left, right = (
            cgutils.create_struct_proxy(signature.args[n])(context, b, args[n]).data for n in range(3)
        )
        rows, K, width, stride = args[3:]
        i64, vector = ir.IntType(64), ir.VectorType(context.get_data_type(a.dtype), lanes)
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), None)
        fma = cgutils.get_or_insert_function(
            b.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{lanes}f{bits}"
        )

        def line(start):
            return [b.bitcast(b.gep(start, [i64(lanes * v)]), vector.as_pointer()) for v in range(_PAIR)]

        def spread(number):
            first = b.insert_element(ir.Constant(vector, ir.Undefined), number, ir.IntType(32)(0))
            return b.shuffle_vector(first, first, zeros)

        done = b.append_basic_block()
        choice = b.switch(rows, done)
        for R in range(1, _ROWS + 1):
            before, body, after = (b.append_basic_block() for _ in range(3))
            choice.add_case(i64(R), before)
            b.position_at_end(before)
            b.branch(body)
            b.position_at_end(body)
            k, sums = b.phi(i64), [[b.phi(vector) for _ in range(_PAIR)] for _ in range(R)]
            w = [b.load(v, align=bits // 8) for v in line(b.gep(right, [b.mul(k, i64(_PAIR * lanes))]))]
            following = b.add(k, i64(1))
            k.add_incoming(i64(0), before)
            k.add_incoming(following, body)
            grown = []
            for r in range(R):
                factor = spread(b.load(b.gep(left, [b.add(b.mul(stride, i64(r)), k)])))
                grown.append([b.call(fma, [factor, w[v], sums[r][v]]) for v in range(_PAIR)])
                for v in range(_PAIR):
                    sums[r][v].add_incoming(ir.Constant(vector, None), before)
                    sums[r][v].add_incoming(grown[r][v], body)
            b.cbranch(b.icmp_signed("<", following, K), body, after)
            b.position_at_end(after)
            for r in range(R):
                for v, to in enumerate(line(b.gep(place, [b.mul(width, i64(r))]))):
                    b.store(grown[r][v], to, align=bits // 8)
            b.branch(done)
        b.position_at_end(done)
        return context.get_dummy_value()

    whole = types.int64
    return types.void(out, a, panel, whole, whole, whole, whole), generate


@njit(nogil=True, error_model="numpy")
@no_type_check
def rows_times(out, a, start, w):
    """out = A W for as many rows as out has; A's rows lie in a one after the other from `start` on. W in panels."""
    P, K, W = w.shape
    rows, size = out.shape[0], K * W
    tiles = (rows + _ROWS - 1) // _ROWS
    for i in range(tiles):
        first, last = rows * i // tiles, rows * (i + 1) // tiles
        left = view(a, start + first * K, (last - first) * K)
        for p in range(P):
            _tile(view(out, (first * P + p) * W, W), left, view(w, p * size, size), last - first, K, P * W, K)


@part
@no_type_check
def room_for(rows, w):
    """Where a product with w comes to stand, the last panel's padding included."""
    return np.zeros((rows, w.shape[0] * w.shape[2]), w.dtype)


def panels(w: Float[np.ndarray, "K N"]) -> Float[np.ndarray, "P K W"]:
    """The columns of w in groups as wide as a tile, each group in one stretch of memory, the last padded with 0."""
    K, N = w.shape
    width = _PAIR * _BYTES // w.itemsize
    whole = N // width
    made = np.zeros((-(-N // width), K, width), w.dtype)
    made[:whole] = w[:, : whole * width].reshape(K, whole, width).swapaxes(0, 1)
    if whole < made.shape[0]:
        made[whole, :, : N - whole * width] = w[:, whole * width :]
    return made


@no_type_check
def _exp(x):
    """(s, q) with exp(x) = s + q and exp(x) − 1 = (s − 1) + q, each to the last digits, for x ≤ 0; compiled only.

    x = n log 2 + r with |r| ≤ log(2) / 2; s = 2ⁿ, and q = s (exp(r) − 1) by Taylor's series. n is read off the bits of
    x / log 2 + 1.5 · 2^(digits of the fraction), where it stands in the last ones. What is below the smallest normal
    number is 0.
    """
    raise NotImplementedError


@overload(_exp, inline="always")
@no_type_check
def _exp_of(x):
    wide = x == types.float64
    real, whole = (np.float64, np.int64) if wide else (np.float32, np.int32)
    digits, bias = whole(np.finfo(real).nmant), whole(1023 if wide else 127)
    log2 = Decimal(2).ln(Context(prec=50))
    grid = 2 ** (40 if wide else 14)  # n · high is then exact
    high = real(math.floor(log2 * grid) / grid)
    low, per, least = real(log2 - Decimal(float(high))), real(1 / log2), real(-float(bias) * float(log2))
    magic, c = real(1.5 * 2.0 ** float(digits)), tuple(real(1 / math.factorial(i)) for i in range(15))

    def exp(x):
        x = least if x < least else x
        y = x * per + magic
        n = y - magic
        s = whole((real(y).view(whole) + bias) << digits).view(real)
        r = x - n * high
        r = r - n * low
        p = c[7]
        if wide:
            p = ((((((c[14] * r + c[13]) * r + c[12]) * r + c[11]) * r + c[10]) * r + c[9]) * r + c[8]) * r + p
        p = ((((p * r + c[6]) * r + c[5]) * r + c[4]) * r + c[3]) * r + c[2]
        return s, s * (p * (r * r) + r)

    return exp


# Each loop below writes one row that it does not read by another name: the compiler can then tell at run time that
# nothing overlaps, and use vectors. In place, both names being the same row, it could not.


@part
@no_type_check
def tanh(out, a):
    one, two = a.dtype.type(1), a.dtype.type(2)
    for j in range(out.size):
        s, q = _exp(-abs(a[j] + a[j]))
        m = q + (s - one)
        out[j] = np.copysign(m / (m + two), a[j])


@part
@no_type_check
def logistic(out, a):
    one = a.dtype.type(1)
    for j in range(out.size):
        s, q = _exp(-abs(a[j]))
        m = s + q
        y = one / (one + m)
        out[j] = m * y if a[j] < 0 else y


@part
@no_type_check
def relu(out, a):
    zero = a.dtype.type(0)
    for j in range(out.size):
        out[j] = zero if a[j] < zero else a[j]


@part
@no_type_check
def through_tanh(out, d, u, y):
    """out = d u tanh′, where y = tanh."""
    one = d.dtype.type(1)
    for j in range(out.size):
        out[j] = d[j] * u[j] * (one - y[j] * y[j])


@part
@no_type_check
def through_logistic(out, d, u, y):
    """out = d u σ′, where y = σ."""
    one = d.dtype.type(1)
    for j in range(out.size):
        out[j] = d[j] * u[j] * (y[j] * (one - y[j]))


@part
@no_type_check
def through_relu(out, d, u, y):
    one, zero = d.dtype.type(1), d.dtype.type(0)
    for j in range(out.size):
        out[j] = d[j] * u[j] * (one if y[j] > zero else zero)


@part
@no_type_check
def copy(out, a):
    for j in range(out.size):
        out[j] = a[j]


@part
@no_type_check
def add(out, a, weight, b):
    """out = a + weight b."""
    weight = out.dtype.type(weight)
    for j in range(out.size):
        out[j] = a[j] + weight * b[j]


@part
@no_type_check
def increase(out, weight, a):
    weight = out.dtype.type(weight)
    for j in range(out.size):
        out[j] += weight * a[j]


@part
@no_type_check
def scale(out, weight):
    weight = out.dtype.type(weight)
    for j in range(out.size):
        out[j] *= weight


@part
@no_type_check
def multiply(out, a):
    for j in range(out.size):
        out[j] *= a[j]


@part
@no_type_check
def product(out, a, b):
    for j in range(out.size):
        out[j] = a[j] * b[j]


@part
@no_type_check
def product_and_sum(out, a, b, c):
    """out = a b + c."""
    for j in range(out.size):
        out[j] = a[j] * b[j] + c[j]


@njit(nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
@no_type_check
def square(a):
    """Σ a², in double precision: what a clip looks at may be large."""
    total = 0.0
    for j in range(a.size):
        total += np.float64(a[j]) * np.float64(a[j])
    return total
