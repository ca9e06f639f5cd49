"""What triggers look at: one module for each type, behind ``seam``."""
