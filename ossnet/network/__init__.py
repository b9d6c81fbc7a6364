"""Occupancy networks for semantic segmentation (Section 3.1), from the encoder to the logits.

In reading order:

- `encoder`: a volume to global latent vectors and a coarse segmentation;
- `patches`: the patches of a volume around locations, and their encoder;
- `decoder`: locations, local and global latent vectors to logits;
- `coordinates`: forms in which the decoder takes locations;
- `configuration`: sizes and switches;
- `occupancy_network`: the three joined, the loss, and the OSS-Nets A to D;
- `field`: the occupancy field of one image, the plain one and the fast one of inference;
- `folding`, `compiled`, `chunks`: the fast one's decoder, compiled for the image, and its chunks of locations;
- `tiles`: its encoder, in less memory;
- `resolution`: sizes of the encoder for volumes of any resolution;
- `activation`: the Padé activation unit and other activations;
- `execution`: what memory a training takes, and precision;
- `lean`: training in little memory, in parts;
- `valueless`: tensors without values, on which memory is predicted;
- `released`: import and export of the released weights.

Logits become probabilities in `ossnet.losses`. `Departure:` marks where the suite departs from the paper or its
released code, in this package as everywhere.
"""
