"""Runs of many images: the job, one image, the batch, the folder, the report."""
