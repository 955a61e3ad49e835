"""The paper's pipeline: its recipe, its stages, and how a recipe is tuned."""
