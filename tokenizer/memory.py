"""Compiling code that only reads and writes memory, and instructions that NumPy has no spelling for."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import DTypeLike, NDArray

compiled = njit(cache=True, nogil=True, _nrt=False)  # type: ignore[call-overload]
"""`numba.njit` for functions that make no arrays. They do not count references to the arrays they are given, which in
small functions called for every character costs more than their work (scanning English: 2.6 times as long)."""
inlined = njit(cache=True, nogil=True, _nrt=False, forceinline=True)  # type: ignore[call-overload]
"""As `compiled`, for functions whose arguments take longer to pass than their work takes."""


@inlined
def at(i):  # type: ignore[no-untyped-def]
    """``i``, which is not negative, as an index that compiled code need not ask whether it counts from the end."""
    return np.uint64(i)


CACHE_LINE = 64  # bytes


def aligned(size: int, dtype: DTypeLike) -> NDArray[Any]:
    """An array of ``size`` elements that starts at a cache line; its content is arbitrary."""
    room = np.empty(size * np.dtype(dtype).itemsize + CACHE_LINE, np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    return room[start : start + room.size - CACHE_LINE].view(dtype)


def _address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Pointer to element ``arguments[1]`` of the array ``arguments[0]``."""
    array_type = signature.args[0]
    array = context.make_array(array_type)(context, builder, arguments[0])
    return cgutils.get_item_pointer(context, builder, array_type, array, [arguments[1]], wraparound=False)


@intrinsic
def load_word(typing_context, data, i):  # type: ignore[no-untyped-def]
    """The eight bytes ``data[i : i + 8]`` (uint8, any alignment) as one uint64. All eight must exist."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.bitcast(_address(context, builder, signature, arguments), ir.IntType(64).as_pointer())
        word = builder.load(pointer)
        word.align = 1
        return word

    return types.uint64(data, i), generate


@intrinsic
def prefetch(typing_context, array, i):  # type: ignore[no-untyped-def]
    """Ask for the cache line of ``array[i]`` without waiting for it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte_pointer, int32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        pointer = builder.bitcast(_address(context, builder, signature, arguments), byte_pointer)
        function_type = ir.FunctionType(ir.VoidType(), [byte_pointer, int32, int32, int32])
        function = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0i8")
        builder.call(function, [pointer, int32(0), int32(3), int32(1)])  # to read, keep in all caches, data
        return context.get_dummy_value()

    return types.void(array, i), generate


@intrinsic
def trailing_zeros(typing_context, word):  # type: ignore[no-untyped-def]
    """The number of zero bits below the lowest one bit of ``word`` (uint64), 64 when there is none: uint64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate
