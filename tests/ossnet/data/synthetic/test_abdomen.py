import numpy as np

from ossnet.data.synthetic.abdomen import draw_patient


def test_a_patient_follows_from_the_generator():
    first, again, other = (draw_patient(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.enhancement == again.enhancement != other.enhancement
    np.testing.assert_array_equal(first.tubes["aorta"].path, again.tubes["aorta"].path)
    assert abs(first.tubes["aorta"].path - other.tubes["aorta"].path).max() > 0
    assert first.tumours == ()


def test_organs_lie_on_their_sides():
    for seed in range(5):
        organs = draw_patient(np.random.default_rng(seed)).ellipsoids
        assert organs["right lobe"].centre[0] < 0 < organs["spleen"].centre[0]
        assert organs["right kidney"].centre[0] < 0 < organs["left kidney"].centre[0]
