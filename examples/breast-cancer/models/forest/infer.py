"""Predict with the weights that train.py left in this image."""

from trained import infer

if __name__ == "__main__":
    infer()
