"""How many replicas or Jobs there are to be: decisions alone, with time as an argument."""
