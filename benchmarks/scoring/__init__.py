"""Scorings of trained models: specifications of runs, and how they are carried out.

In reading order:

- `scoring`: interface of every scoring;
- `registry`: all kinds of scorings;
- `segmentation`: scores of segmentations, of Tables 1 and 2;
- `segmentation_costs`: time and peak memory of the segmentations of a scoring;
- `protocols`: scores at sampled locations, as the paper and its released code validate;
- `inference_comparison`: comparison of extractions, of the study `inference`;
- `octree_stages`: stages of one extraction, of Figure 4;
- `transfer`: scores of the cases of another data set than that of the training.
"""
