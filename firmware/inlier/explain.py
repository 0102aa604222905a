"""Which counters made a window outlying. Runs when an alarm is raised, not on
the steady path: it may allocate.
"""


def top_features(model, x, y, count=3):
    """The `count` features that contributed most: a list of (name, per cent),
    largest first.

    x: quantised features; y: their reconstruction. A contribution is the mean
    of a feature's share of the squared reconstruction error and its share of
    the SVM's positive terms. Names are `counter` for the window itself and
    `counter~16` for a mean damped over about 16 windows.
    """
    weights = model.svm_weights()
    squares = [(x[i] - y[i]) ** 2 for i in range(model.features)]
    terms = [max(0, _svm_term(model, weights, x[i], i)) for i in range(model.features)]
    both = [(squares, max(1, sum(squares))), (terms, max(1, sum(terms)))]
    shares = [
        (sum(part[i] * 50 // total for part, total in both), -i) for i in range(model.features)
    ]
    shares.sort(reverse=True)
    return [(model.feature_name(-i), share) for share, i in shares[:count] if share > 0]


def _svm_term(model, weights, byte, i):
    q = byte - 128
    k = len(model.knots)
    side = 2 * k * i + (0 if q >= 0 else k)
    q = abs(q)
    return sum((weights[side + t] - 128) * max(0, q - model.knots[t]) for t in range(k))
