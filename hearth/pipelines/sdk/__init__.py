"""What a pipeline's script sees and what runs it: the standard library and CloudEvents' SDK.

Small on purpose: it is imported anew in the pod of each script and of each function.
"""
