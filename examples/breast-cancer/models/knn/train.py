"""Train the nearest-neighbour model: nine neighbours on raw values, so the area of the nuclei rules the distance."""

from sklearn.neighbors import KNeighborsClassifier
from trained import train

if __name__ == "__main__":
    train(KNeighborsClassifier(n_neighbors=9))
