"""Function-space baseline: the original occupancy network with a basic 3-D ResNet encoder (Section 4.1)."""

from ossnet.network.occupancy_network import OccupancyNetwork


class ONet(OccupancyNetwork):
    """O-Net, the function-space baseline: an occupancy network without local observations."""

    preset = {"patches": False}
