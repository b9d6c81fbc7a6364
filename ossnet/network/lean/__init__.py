"""Training of an occupancy network in little memory, with the gradients and statistics of the plain path.

The networks are those of `ossnet.network`; only the order of the computation differs.

- `sweep`: patch encoder and decoder, swept layer by layer over chunks of locations; `patch_layers` and `block` are its
  parts for one chunk;
- `tiles`: first half of a large encoder block, tile by tile;
- `moments`, `gradients`: a batch norm, and sums of gradients, over values that come in parts;
- `host`: what is kept in host memory in place of the device's.
"""
