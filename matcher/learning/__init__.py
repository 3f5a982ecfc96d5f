"""The weights that recorded decisions speak for. `learner` has the estimator, `decisions` the file it learns from."""
