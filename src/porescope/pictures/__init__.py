"""Pictures and plots: the only wing that uses matplotlib and plotly."""
