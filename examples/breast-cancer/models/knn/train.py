"""Train the nearest-neighbour model: the five nearest of the development part, on standardised features."""

from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from trained import train

if __name__ == "__main__":
    train(make_pipeline(StandardScaler(), KNeighborsClassifier(n_neighbors=5)))
