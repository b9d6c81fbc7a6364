"""Scorings of trained models: specifications of runs, and how they are carried out.

In reading order:

- `scoring`: interface of every scoring;
- `registry`: all kinds of scorings;
- `segmentation`: scores of segmentations, of Tables 1 and 2;
- `segmentation_costs`: time and peak memory of the segmentations of a scoring;
- `protocols`: sampled protocols by which studies score their runs;
- `reproduction`: scores of released checkpoints, without training;
- `inference_comparison`: comparison of extractions, of the study `inference`;
- `octree_stages`: stages of one extraction, of Figure 4;
- `transfer`: scores of the cases of another data set than that of the training.
"""
