"""Cases and data sets: where they come from, and how they are prepared for a model.

In reading order:

* `case`: a case with its image, label and affine; a data set of named cases in splits
* `sources`: the registry of data sets, and how to add one
* `nifti`, `nifti_header`: NIfTI files, and the repair of their headers
* `paper_datasets`: which data sets are, or stand in for, the two of the paper
* `listing`: the files of a data set, as the reader of each layout lists them: `brats` and `lits` (the two of the
  paper), `msd` and `nnunet` (both with `dataset_json`), `folders`, and `table` (with `csv_table`), the CSV of own cases
* `label_names`: what label values mean in each data set
* `splits`, `folds`: splits of a data set, and those of cross-validation
* `check`: what the files of a data set hold, and which cases cannot be used
* `synthetic`: synthetic data sets that need no download
* `preprocessing`: from a stored case to one that a model takes, and its segmentation back
* `modalities`: data sets with some of their modalities
* `far_values`: padding and broken voxels that would spoil the normalisation
* `prepared`, `slices`: preprocessed cases on disk, and reading only slices of them
* `preparation`, `parallel`: preparation of all cases of a training, in several processes
* `file_identity`, `voxels`: digests by which files and images are recognised
"""
