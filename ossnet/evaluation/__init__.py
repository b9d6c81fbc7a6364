"""Evaluation of segmentations against labels.

In reading order:

- `quantities`: quantities that are measured, with their units and their display in tables;
- `metrics`: Dice, IoU, surface metrics and false-positive volume of two masks;
- `kept_scores`: scoring case by case, from which an interrupted evaluation continues;
- `evaluation`: segmentation of whole cases by a trained model, and their scores;
- `pooling`: scores of all folds of a cross-validation together.
"""
