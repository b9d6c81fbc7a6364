"""Training of every model (Sections 3.2, 4.1 and 4.2), and the runs and profiles that set it up.

In reading order:

- `profile`: settings by model and data set, one TOML file per profile;
- `run`: specification of a run, its identity (`RunSpec.identity`) and its folder;
- `recipe`: configuration of a training;
- `loop`: the training itself, which resumes after an interruption;
- `distributed`: several processes that share each batch, one per device;
- `learner`, `synchronised_norm`: losses, gradients and statistics of shared batches;
- `batches`: batches, read ahead while the network learns;
- `augmentation`: flips, brightness and noise;
- `confidence`: sampling by the uncertainty of past predictions, which the paper leaves to future work;
- `optimization`: Lookahead over RAdam and the schedules of learning rates;
- `validation`: scores by the protocols of the paper and of the released code;
- `protocols`: scores of a trained model by these protocols, on each case;
- `checkpoint`: checkpoints and weights on disk;
- `seen_cases`: record of the cases that a training has seen, by which leakage is found;
- `learned_labels`: record of what its label values mean, by which scores of other labels are refused;
- `recorded_split`: record of a fold or a table of splits that a training was made with;
- `released_run`: runs whose weights are from the released code.
"""
