"""Train the random forest: 100 trees of depth 6, a fixed seed."""

from sklearn.ensemble import RandomForestClassifier
from trained import train

if __name__ == "__main__":
    train(RandomForestClassifier(n_estimators=100, max_depth=6, random_state=0, n_jobs=1))
