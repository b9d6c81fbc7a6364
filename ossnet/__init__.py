"""OSS-Net (Reich et al., BMVC 2021): semantic segmentation of 3-D medical data in function space."""

from ossnet.released import load_released

__all__ = ["load_released"]
