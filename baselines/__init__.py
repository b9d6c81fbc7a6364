"""Models that OSS-Net is compared with (Section 4.1): O-Net, the 3-D residual U-Net and the slicing 2-D residual U-Net.

Each is a `SegmentationModel` that the entry-point group `ossnet.models` lists by name.
"""
