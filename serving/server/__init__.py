"""What runs inside a serving image: no MLflow, no pandas, of training the schema's reader only."""
