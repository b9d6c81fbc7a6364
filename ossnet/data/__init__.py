"""Cases and data sets: where they come from, and how they are prepared for a model.

In reading order:

* `case`: a case with its image, label and affine; a data set of named cases in splits
* `sources`: the registry of data sets, and how to add one
* `nifti`, `nifti_header`: NIfTI files, and the repair of their headers
* `paper_datasets`: which data sets are, or stand in for, the two of the paper
* `table`: data sets of files, and the CSV of own cases; `brats` and `lits`: the two of the paper
* `synthetic`: synthetic data sets that need no download
* `preprocessing`: from a stored case to one that a model takes, and its segmentation back
* `modalities`: data sets with some of their modalities
* `far_values`: padding and broken voxels that would spoil the normalisation
* `prepared`, `slices`: preprocessed cases on disk, and reading only slices of them
* `file_identity`, `voxels`: digests by which files and images are recognised
"""
