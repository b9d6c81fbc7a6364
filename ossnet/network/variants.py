"""The four OSS-Nets of Table 2, as points on the switches of one network."""

from ossnet.network.occupancy_network import OccupancyNetwork


class OSSNetA(OccupancyNetwork):
    """OSS-Net A: O-Net with a patch encoder that sees small patches."""


class OSSNetB(OccupancyNetwork):
    """OSS-Net B: A with a larger context, average-pooled patches of twice the edge."""

    preset = {"larger_context": True}


class OSSNetC(OccupancyNetwork):
    """OSS-Net C: A with output skip-connections in the encoder and the auxiliary loss."""

    preset = {"output_skips": True, "auxiliary_weight": 0.1}


class OSSNetD(OccupancyNetwork):
    """OSS-Net D: B with output skip-connections in the encoder and the auxiliary loss."""

    preset = OSSNetB.preset | OSSNetC.preset
