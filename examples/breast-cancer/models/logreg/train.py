"""Train the logistic regression: ten standardised features, the default L2 penalty."""

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from trained import train

if __name__ == "__main__":
    train(make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)))
