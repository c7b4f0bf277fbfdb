"""What the averaging notices of gradients, and how it packs what it sends."""

from __future__ import annotations

import gc

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from thexp_pl.strategies.averaging import Touch, TouchedGradients
from thexp_pl.strategies.flat import buckets, joined, put_back
from thexp_pl.strategies.replicas import _checksum

DTYPES = [
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.complex64,
    torch.complex128,
]


def touches(parameter: torch.Tensor, loss: torch.Tensor, **options: bool) -> Touch:
    seen = TouchedGradients([parameter])
    loss.backward(**options)
    return seen.touched()[0]


def test_a_backward_touches_the_gradients_it_reaches_and_no_others():
    used, unused = (torch.ones(2, requires_grad=True) for _ in range(2))
    for _ in range(2):  # a gradient that is made, and one that is added to
        seen = TouchedGradients([used, unused])
        used.sum().backward()
        assert seen.touched() == [Touch.DENSE, Touch.NONE]


@pytest.mark.filterwarnings(r"ignore:Using backward\(\) with create_graph")
def test_a_backward_of_zeros_or_with_a_graph_touches_as_well():
    parameter = torch.ones(2, requires_grad=True)
    assert touches(parameter, (parameter * 0).sum()) is Touch.DENSE
    assert touches(parameter, (parameter * 0).sum()) is Touch.DENSE
    assert touches(parameter, parameter.square().sum(), create_graph=True) is Touch.DENSE
    parameter.grad = None


def test_a_gradient_in_the_place_of_one_that_is_gone_is_another():
    parameter = torch.ones(2, requires_grad=True)
    for _ in range(50):  # sooner or later it lies where the other lay
        parameter.grad = torch.ones(2)
        seen = TouchedGradients([parameter])
        parameter.grad = None
        gc.collect(0)
        parameter.grad = torch.ones(2)
        assert seen.touched() == [Touch.DENSE]


def test_a_sparse_gradient_is_told_from_a_dense_one():
    layer = nn.Embedding(5, 2, sparse=True)
    assert touches(layer.weight, layer(torch.tensor([1])).sum()) is Touch.SPARSE


@st.composite
def tensors(draw: st.DrawFn) -> list[torch.Tensor]:
    found = []
    for _ in range(draw(st.integers(0, 6))):
        shape = draw(st.lists(st.integers(0, 4), max_size=4))
        tensor = torch.randn(shape, dtype=torch.float64).to(draw(st.sampled_from(DTYPES)))
        form = draw(st.sampled_from(["as it is", "transposed", "channels last", "every second"]))
        if form == "transposed":
            tensor = tensor.permute(tuple(reversed(range(tensor.ndim))))
        elif form == "channels last" and tensor.ndim == 4:
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        elif form == "every second" and tensor.ndim:
            tensor = tensor[::2]
        found.append(tensor)
    return found


@given(tensors())
def test_what_is_packed_and_put_back_is_each_tensor_in_its_own_place(given_tensors):  # type: ignore[no-untyped-def]
    expected = [tensor * 2 for tensor in given_tensors]
    sent = []
    for bucket in buckets(given_tensors):
        row = joined(bucket)
        assert row.ndim == 1
        sent.append(row.numel())
        put_back(bucket, row.mul_(2))
    assert sum(sent) == sum(tensor.numel() for tensor in given_tensors)
    for tensor, value in zip(given_tensors, expected, strict=True):
        assert torch.equal(tensor, value)


def test_a_bucket_is_full_at_25_mebibytes():
    halves = [torch.zeros(2**17) for _ in range(100)]  # of half a MiB each
    assert [len(bucket) for bucket in buckets(halves)] == [50, 50]


def test_a_large_tensor_is_sent_as_it_lies():
    small, large = torch.zeros(3), torch.zeros(512, 512)
    assert [len(bucket) for bucket in buckets([small, large, small])] == [1, 2]
    (bucket,) = buckets([large])
    assert joined(bucket).data_ptr() == large.data_ptr()


@given(st.integers(1, 3000), st.sampled_from(DTYPES), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_checksum_tells_two_values_that_have_changed_places(
    size: int, dtype: torch.dtype, one: int, other: int
):
    tensor = torch.randn(size, dtype=torch.float64).to(dtype)
    swapped = tensor.clone()
    swapped[[one % size, other % size]] = swapped[[other % size, one % size]]
    is_same = torch.equal(tensor, swapped)
    assert torch.equal(_checksum(tensor), _checksum(swapped)) == is_same
