"""Figures of the suite, one module per figure, drawn from records alone: nothing here trains or measures.

`python -m paper_figures` draws them. `registry` lists the figures and `picture` says when their pictures are drawn;
`scores` and `probes` read records; `panels`, `curves`, `volumes` and `style` are shared by figures; `plotted` extracts
the data of a drawn figure. `study_figure` chooses between `setting_curve`, `heat_map` and `forest` for the study of a
user's file; they draw any study whose layout has axes or a baseline.
"""
