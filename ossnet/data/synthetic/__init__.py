"""Synthetic data sets, which stand in for BraTS and LiTS and need no download.

In reading order:

* `cache`: making the cases of a data set from a seed, and keeping them on disk
* `glioma`: MR images of gliomas, from the anatomy in `brain` and the growth in `tumour`
* `liver`: CT of the abdomen, from the patient in `abdomen`, the organs in `torso` and their `shapes`

Sources and licences of the anatomy:

* The brain is the ICBM 152 template of 2009 (release a, symmetric; Fonov et al., NeuroImage 54, 2011), read from the
  installed package nilearn (BSD-3-Clause). The notice of the ICBM 152 atlases permits their use, copying, modification
  and distribution for any purpose if it is kept: Copyright (C) 1993-2004 Louis Collins, McConnell Brain Imaging Centre,
  Montreal Neurological Institute, McGill University. Nilearn itself lists the licence of the template as unknown.
* The abdomen is procedural. Its shapes and sizes are written in the code, and none was measured in a patient.
"""
