import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from ossnet.network.valueless import has_no_values, representative


def test_meta_and_fake_tensors_have_no_values() -> None:
    with FakeTensorMode():
        fake = torch.zeros(2)
    assert has_no_values(fake)
    assert has_no_values(torch.zeros(2, device="meta"))
    assert not has_no_values(torch.zeros(2))


def test_two_parts_stand_for_many() -> None:
    meta, real = torch.zeros(1, device="meta"), torch.zeros(1)
    assert representative([1, 2, 3], real) == [1, 2, 3]
    assert representative([1, 2, 3], meta) == [1, 3]
    assert [representative(parts, meta) for parts in ([], [1], [1, 2])] == [[], [1], [1, 2]]
