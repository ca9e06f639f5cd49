"""``hearth func``: projects of Knative func, with func's verbs and flags."""
