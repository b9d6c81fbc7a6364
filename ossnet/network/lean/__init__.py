"""Training of an occupancy network in little memory, with the gradients and statistics of the plain path.

The networks are those of `ossnet.network`; only the order of the computation differs.

- `moments`: statistics of a batch norm over values that come in parts, and its gradient;
- `sweep`: patch encoder and decoder, swept layer by layer over chunks of locations;
- `tiles`: first half of a large encoder block, tile by tile;
- `host`: what is kept in host memory in place of the device's.
"""
