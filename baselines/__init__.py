"""Models that OSS-Net is compared with.

The paper's are O-Net, the 3-D residual U-Net and the slicing 2-D residual U-Net (Section 4.1); IOSNet, HNOSeg-XS and
MONAI's SegResNet are later.

Each is a `SegmentationModel` that the entry-point group `ossnet.models` lists by name.
"""
