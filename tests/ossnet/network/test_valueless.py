import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from ossnet.network.valueless import has_no_values, representative


def test_meta_and_fake_tensors_have_no_values() -> None:
    with FakeTensorMode():
        fake = torch.zeros(2)
    assert has_no_values(fake)
    assert has_no_values(torch.zeros(2, device="meta"))
    assert not has_no_values(torch.zeros(2))


def test_the_first_part_stands_for_all() -> None:
    meta, real = torch.zeros(1, device="meta"), torch.zeros(1)
    assert representative([1, 2, 3], real) == [1, 2, 3]
    assert representative([1, 2, 3], meta) == [1]
    assert representative([], meta) == []
