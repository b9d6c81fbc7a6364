"""The four OSS-Nets of Table 2, as points on the switches of one network."""

from ossnet.network import OccupancyNetwork


class OSSNetA(OccupancyNetwork):
    """Patch encoder with small patches."""


class OSSNetB(OccupancyNetwork):
    """A with the larger context: average-pooled patches of twice the edge."""

    preset = {"larger_context": True}


class OSSNetC(OccupancyNetwork):
    """A with output skip-connections in the encoder and the auxiliary loss."""

    preset = {"output_skips": True, "auxiliary_weight": 0.1}


class OSSNetD(OccupancyNetwork):
    """B with output skip-connections in the encoder and the auxiliary loss."""

    preset = OSSNetB.preset | OSSNetC.preset
