import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossnet.config import build, plain
from ossnet.data.folds import Fold, fold_splits
from ossnet.errors import UserError


@given(patients=st.integers(5, 60), scans=st.integers(1, 3), of=st.integers(2, 5))
def test_every_case_is_held_out_once_and_with_its_patient(patients: int, scans: int, of: int) -> None:
    patient_of = {f"{patient}-{scan}": str(patient) for patient in range(patients) for scan in range(scans)}
    held_out: list[str] = []
    for number in range(of):
        splits = fold_splits(list(patient_of), patient_of, Fold(number, of))
        parts = [{patient_of[name] for name in splits[split]} for split in ("train", "validation", "test")]
        assert all(parts)
        assert sum(map(len, parts)) == len(set.union(*parts)) == patients
        assert sorted(name for names in splits.values() for name in names) == sorted(patient_of)
        assert patients // of <= len(parts[2]) <= -(-patients // of)
        assert len(parts[1]) == max(1, round(0.1 * (patients - len(parts[2]))))
        held_out += splits["test"]
    assert sorted(held_out) == sorted(patient_of)


def test_folds_do_not_depend_on_the_order_of_names() -> None:
    names = [str(number) for number in range(20)]
    assert fold_splits(names, {}, Fold(1, 5)) == fold_splits(names[::-1], {}, Fold(1, 5))


@pytest.mark.parametrize(("number", "of"), [(5, 5), (-1, 5), (0, 1)])
def test_what_is_no_fold_is_refused(number: int, of: int) -> None:
    with pytest.raises(UserError):
        build(Fold, {"number": number, "of": of}, "--folds")
    assert build(Fold, plain(Fold(4, 5)), "--folds") == Fold(4, 5)


@pytest.mark.parametrize(("cases", "of"), [(4, 5), (2, 2), (0, 2)])
def test_too_few_cases_are_refused(cases: int, of: int) -> None:
    with pytest.raises(UserError, match=f"{cases} patients"):
        fold_splits([str(case) for case in range(cases)], {}, Fold(0, of))
