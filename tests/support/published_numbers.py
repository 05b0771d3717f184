"""Data that papers published, with the results that others computed of them; each says where it is from."""

import numpy as np
from numpy.typing import NDArray

# Colditz et al. (1994), JAMA 271, 698–702: tuberculosis yes and no, vaccinated and not, in 13 trials of BCG.
BCG = np.array(
    [
        [4, 119, 11, 128],
        [6, 300, 29, 274],
        [3, 228, 11, 209],
        [62, 13536, 248, 12619],
        [33, 5036, 47, 5761],
        [180, 1361, 372, 1079],
        [8, 2537, 10, 619],
        [505, 87886, 499, 87892],
        [29, 7470, 45, 7232],
        [17, 1699, 65, 1600],
        [186, 50448, 141, 27197],
        [5, 2493, 3, 2338],
        [27, 16886, 29, 17825],
    ],
    dtype=float,
)

# Borenstein et al. (2009), Introduction to Meta-Analysis, table 14.1: mean, sd and n of two groups in six studies.
TABLE_14_1 = np.array(
    [
        [94, 22, 60, 92, 20, 60],
        [98, 21, 65, 92, 22, 65],
        [98, 28, 40, 88, 26, 40],
        [94, 19, 200, 82, 17, 200],
        [98, 21, 50, 88, 22, 45],
        [96, 21, 85, 92, 22, 85],
    ],
    dtype=float,
)

# The same, table 14.4: events and patients of two groups in six studies.
TABLE_14_4 = np.array(
    [[12, 65, 16, 65], [8, 40, 10, 40], [14, 80, 19, 80], [25, 400, 80, 400], [8, 40, 11, 40], [16, 65, 18, 65]],
    dtype=float,
)

# Belenky et al. (2003), J. Sleep Res. 12, 1–12: reaction times (ms) of 18 people on days 0 to 9 of too little sleep.
SLEEPSTUDY = np.array(
    [
        [249.56, 258.7047, 250.8006, 321.4398, 356.8519, 414.6901, 382.2038, 290.1486, 430.5853, 466.3535],
        [222.7339, 205.2658, 202.9778, 204.707, 207.7161, 215.9618, 213.6303, 217.7272, 224.2957, 237.3142],
        [199.0539, 194.3322, 234.32, 232.8416, 229.3074, 220.4579, 235.4208, 255.7511, 261.0125, 247.5153],
        [321.5426, 300.4002, 283.8565, 285.133, 285.7973, 297.5855, 280.2396, 318.2613, 305.3495, 354.0487],
        [287.6079, 285.0, 301.8206, 320.1153, 316.2773, 293.3187, 290.075, 334.8177, 293.7469, 371.5811],
        [234.8606, 242.8118, 272.9613, 309.7688, 317.4629, 309.9976, 454.1619, 346.8311, 330.3003, 253.8644],
        [283.8424, 289.555, 276.7693, 299.8097, 297.171, 338.1665, 332.0265, 348.8399, 333.36, 362.0428],
        [265.4731, 276.2012, 243.3647, 254.6723, 279.0244, 284.1912, 305.5248, 331.5229, 335.7469, 377.299],
        [241.6083, 273.9472, 254.4907, 270.8021, 251.4519, 254.6362, 245.4523, 235.311, 235.7541, 237.2466],
        [312.3666, 313.8058, 291.6112, 346.1222, 365.7324, 391.8385, 404.2601, 416.6923, 455.8643, 458.9167],
        [236.1032, 230.3167, 238.9256, 254.922, 250.7103, 269.7744, 281.5648, 308.102, 336.2806, 351.6451],
        [256.2968, 243.4543, 256.2046, 255.5271, 268.9165, 329.7247, 379.4445, 362.9184, 394.4872, 389.0527],
        [250.5265, 300.0576, 269.8939, 280.5891, 271.8274, 304.6336, 287.7466, 266.5955, 321.5418, 347.5655],
        [221.6771, 298.1939, 326.8785, 346.8555, 348.7402, 352.8287, 354.4266, 360.4326, 375.6406, 388.5417],
        [271.9235, 268.4369, 257.2424, 277.6566, 314.8222, 317.2135, 298.1353, 348.1229, 340.28, 366.5131],
        [225.264, 234.5235, 238.9008, 240.473, 267.5373, 344.1937, 281.1481, 347.5855, 365.163, 372.2288],
        [269.8804, 272.4428, 277.8989, 281.7895, 279.1705, 284.512, 259.2658, 304.6306, 350.7807, 369.4692],
        [269.4117, 273.474, 297.5968, 310.6316, 287.1726, 329.6076, 334.4818, 343.2199, 369.1417, 364.1236],
    ]
)

# The example of the FeTS challenge's ranking code: two cases, three algorithms, (metric, model, case); Hausdorff
# distances are turned round, so that larger is better throughout.
FETS_MODELS = ("deepmedic", "deepscan", "nnunet")
FETS_EXAMPLE = np.array(
    [
        [[0.50, 0.98], [0.45, 0.63], [0.40, 0.31]],  # Dice, whole tumour
        [[-8.0, -2.0], [-12.0, -6.1], [-9.0, -6.0]],  # Hausdorff 95, whole tumour
        [[0.70, 0.31], [0.85, 0.23], [0.70, 0.56]],  # Dice, tumour core
        [[-2.0, -5.0], [-5.0, -4.2], [-6.0, -11.0]],
        [[0.54, 0.45], [0.20, 0.65], [0.12, 0.98]],  # Dice, enhancing tumour
        [[-14.0, -1.0], [-22.0, -9.1], [-16.0, -1.0]],
    ]
)


def log_risk_ratios() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log risk ratios of the BCG trials and their sampling variances, (trial,) each."""
    a, b, c, d = BCG.T
    return np.log(a / (a + b) / (c / (c + d))), 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)


def log_odds_ratios() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log odds ratios of table 14.4 and their sampling variances, (study,) each."""
    a, n1, c, n2 = TABLE_14_4.T
    b, d = n1 - a, n2 - c
    return np.log(a * d / (b * c)), 1 / a + 1 / b + 1 / c + 1 / d


def hedges_g() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Standardised mean differences of table 14.1 and their variances, as the book computes them, (study,) each."""
    m1, s1, n1, m2, s2, n2 = TABLE_14_1.T
    within = np.sqrt(((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / (n1 + n2 - 2))
    d = (m1 - m2) / within
    small = 1 - 3 / (4 * (n1 + n2 - 2) - 1)
    return small * d, small**2 * ((n1 + n2) / (n1 * n2) + d**2 / (2 * (n1 + n2)))
