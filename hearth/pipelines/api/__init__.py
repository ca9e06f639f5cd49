"""The kinds Pipeline and PipelineRun: their names and models."""
