"""From a table to six tuned, fairly compared models in MLflow. Read `run.py` first."""
