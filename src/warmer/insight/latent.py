"""The last hidden layer as a map of the examples, the neighbours of an input there, and which of its numbers count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from warmer.errors import InputError
from warmer.examples._store import Store, fill
from warmer.insight import _draw, _watch
from warmer.insight._contract import Finding, Needs, Sheet, Subject
from warmer.novelty import Novelty

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEEDS = Needs(answers=True, inputs=(0, 8), examples=True)
_MOST = 1500
_THUMBNAILS = 120
_NEIGHBOURS = 6
_LABELLED = 10
_FEWEST, _FEWEST_FOR_LINES = 10, 100


def run(subject: Subject, *, seed: int = 0) -> Finding:
    """Draw the latent space: PCA and t-SNE (van der Maaten and Hinton 2008), coloured by the known answers.

    Args:
        subject: the model, examples (up to 1,500 of them are drawn), and inputs whose neighbours are wanted.
        seed: of the choice and of t-SNE.
    """
    model, table = subject.model, subject.examples
    assert table is not None
    cells, _ = model.cells(table)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(table))[:_MOST])
    store, bad = fill(model.x, [cells[int(row)] for row in chosen], "memory")
    good = np.array([place for place in range(len(chosen)) if place not in bad], dtype=int)
    if len(good) < _FEWEST:
        raise InputError(f"{len(good)} examples that can be read are too few to draw a map; give at least {_FEWEST}")
    known, rows = store.part(good), chosen[good]
    with _watch.still(model.network), torch.no_grad():
        vectors = _vectors(subject, known)
        mine = _features(subject, subject.batch) if subject.cells else None
    centred = vectors - vectors.mean(0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    flat = centred @ axes[:2].T
    held = float((sizes[:2] ** 2).sum() / max((sizes**2).sum(), 1e-12))
    words = _words(subject, rows)
    maps = {f"PCA, {held:.0%} of the variance": flat, "t-SNE": _tsne(centred @ axes[:30].T, seed)}
    pictures = {"Map": _maps(subject, known, maps, words)}
    sheets = {}
    weight = _weights(subject)
    if weight is not None:
        strength = np.abs(weight).mean(0) * vectors.std(0)
        order = np.argsort(-strength)[:20]
        table_rows = tuple((int(i), float(strength[i] / strength.sum()), float(vectors[:, i].mean())) for i in order)
        sheets["Which latent numbers count"] = Sheet(("number", "share of what moves the answer", "mean"), table_rows)
    if mine is not None:
        near = _near(subject, mine, vectors, known, words, rows)
        sheets["Neighbours"] = near[0]
        pictures |= near[1]
    right = _agreement(vectors, words)
    sentence = (
        f"{len(known):,} examples in {vectors.shape[1]} latent numbers; two directions hold {held:.0%} of their variance"
        + (f"; the nearest neighbour has the same answer {right:.1%} of the time" if right is not None else "")
    )
    numbers: dict[str, Any] = {"variance_in_two": held, "neighbours_agree": right}
    if (both := _lines(subject, known, vectors, words, seed)) is not None:
        numbers |= {"linear_on_latent": both[0], "linear_on_inputs": both[1]}
        sentence += (
            f"; a linear model of these numbers, fitted anew to half of the examples, is right {both[0]:.1%} of the time on "
            f"the other half, and one of the inputs themselves {both[1]:.1%}"
        )
    return Finding("latent", sentence, numbers, sheets, pictures)


def _features(subject: Subject, batch: Any) -> NDArray[np.float64]:
    return Novelty.vectors(subject.model.network.features(batch)).double().numpy()


def _vectors(subject: Subject, known: Store) -> NDArray[np.float64]:
    found = []
    for start in range(0, len(known), 128):
        places = np.arange(start, min(len(known), start + 128))
        found.append(_features(subject, subject.model.x.batch(known.take(places), torch.device("cpu"))))
    return np.concatenate(found)


def _lines(
    subject: Subject, known: Store, vectors: NDArray[np.float64], words: list[Any] | None, seed: int
) -> tuple[float, float] | None:
    """Return how often logistic regression is right that is fitted to latent numbers, and to inputs as they are."""
    if words is None or not subject.model.y.discrete or len(known) < _FEWEST_FOR_LINES:
        return None
    inputs = subject.model.x.vector(known.take(np.arange(len(known))))
    texts = np.array([str(word) for word in words])
    # Examples often lie sorted by their answer, and then the one half would say nothing of the other.
    one, other = np.array_split(np.random.default_rng(seed).permutation(len(texts)), 2)
    if inputs is None or len(np.unique(texts[one])) < 2:
        return None
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    found = []
    for numbers in (vectors, np.asarray(inputs, dtype=float)):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
        found.append(float(model.fit(numbers[one], texts[one]).score(numbers[other], texts[other])))
    return found[0], found[1]


def _words(subject: Subject, rows: NDArray[Any]) -> list[Any] | None:
    """Return the examples' known answers, or None where there are none."""
    table = subject.examples
    assert table is not None
    name = subject.model.y_names[0] if subject.model.y_names[0] in table.columns else table.y
    if name is None or name not in table.columns or subject.model.y.compound or subject.model.y.sequential:
        return None
    return list(table.columns[name][rows])


def _tsne(vectors: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, max(2.0, (len(vectors) - 1) / 4))
    return np.asarray(TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(vectors), dtype=float)


def _maps(subject: Subject, known: Store, maps: dict[str, NDArray[np.float64]], words: list[Any] | None) -> bytes:
    drawn = _draw.figure(13, 6.4)
    has_pictures = subject.model.x.picture(known.take(np.array([0]))[0]) is not None
    for axes, (title, places) in zip(drawn.subplots(1, 2), maps.items(), strict=True):
        _draw.plain(axes, title)
        _scatter(axes, places, words, subject.model.y.discrete)
        if has_pictures:
            _thumbnails(axes, subject, known, places)
    return _draw.png(drawn)


def _scatter(axes: Axes, places: NDArray[np.float64], words: list[Any] | None, discrete: bool) -> None:
    import matplotlib

    if words is None:
        axes.scatter(places[:, 0], places[:, 1], s=9, color=_draw.COLD, alpha=0.6)
        return
    if not discrete:
        values = np.array([float(word) if _is_number(word) else np.nan for word in words])
        axes.scatter(places[:, 0], places[:, 1], c=values, s=9, cmap="viridis", alpha=0.8)
        return
    texts = np.array([str(word) for word in words])
    labels, counts = np.unique(texts, return_counts=True)
    shown = sorted(labels[np.argsort(-counts)[:_LABELLED]])
    colours = matplotlib.colormaps["tab10"]
    others = ~np.isin(texts, shown)
    axes.scatter(places[others, 0], places[others, 1], s=8, color="#cccccc")
    for index, label in enumerate(shown):
        mine = texts == label
        axes.scatter(places[mine, 0], places[mine, 1], s=9, color=colours(index), alpha=0.75, label=label[:24])
    axes.legend(fontsize=7, markerscale=2, frameon=False, loc="best")


def _is_number(word: Any) -> bool:
    try:
        float(word)
    except (TypeError, ValueError):
        return False
    return True


def _thumbnails(axes: Axes, subject: Subject, known: Store, places: NDArray[np.float64]) -> None:
    """Draw some examples where they lie, spread over the map."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    scaled = (places - places.min(0)) / np.maximum(np.ptp(places, axis=0), 1e-12)
    taken: list[NDArray[np.float64]] = []
    for place in range(len(known)):
        if len(taken) == _THUMBNAILS:
            break
        if all(np.abs(scaled[place] - other).max() > 0.055 for other in taken):
            taken.append(scaled[place])
            picture = subject.model.x.picture(known.take(np.array([place]))[0]).convert("RGB")
            zoom = 20 / max(picture.size)
            box = OffsetImage(np.asarray(picture), zoom=zoom, interpolation="bilinear" if zoom < 1 else "nearest")
            axes.add_artist(AnnotationBbox(box, places[place], frameon=False, pad=0))


def _weights(subject: Subject) -> NDArray[np.float64] | None:
    """Return the last layer's weights, averaged over members, `[outputs, latent numbers]`; None where there is none."""
    readout = getattr(subject.model.head, "readout", None)
    weight = getattr(readout, "weight", None)
    if not isinstance(weight, Tensor):
        return None
    plain = weight.detach().double()
    return (plain.mean(0).t() if plain.dim() == 3 else plain).numpy()


def _near(
    subject: Subject,
    mine: NDArray[np.float64],
    vectors: NDArray[np.float64],
    known: Store,
    words: list[Any] | None,
    rows: NDArray[Any],
) -> tuple[Sheet, dict[str, bytes]]:
    """Return the neighbours of the inputs, by the angle between latent vectors."""
    unit = [one / np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-12) for one in (mine, vectors)]
    alike = unit[0] @ unit[1].T
    table = subject.examples
    assert table is not None
    told, shown, titles = [], [], []
    for place in range(len(mine)):
        order = np.argsort(-alike[place])[:_NEIGHBOURS]
        for other in order:
            word = "" if words is None else str(words[other])
            told.append((subject.name(place), table.name(int(rows[other])), word, float(alike[place, other])))
        picture = [subject.model.x.picture(known.take(np.array([other]))[0]) for other in order]
        if all(one is not None for one in picture):
            shown.append([np.asarray(one.convert("RGB")) / 255 for one in (_picture(subject, place), *picture)])
            titles.append(["the input", *("" if words is None else str(words[other])[:18] for other in order)])
    sheet = Sheet(("input", "neighbour", "its answer", "cosine"), tuple(told))
    return sheet, {"Nearest neighbours": _draw.grid(shown, titles, side=1.4)} if shown else {}


def _picture(subject: Subject, place: int) -> Any:
    return subject.model.x.picture(subject.model.x.read(subject.cells[place]))


def _agreement(vectors: NDArray[np.float64], words: list[Any] | None) -> float | None:
    """Return how often an example's nearest neighbour has the same answer."""
    if words is None or len({str(word) for word in words}) > len(words) / 4:
        return None
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    alike = unit @ unit.T
    np.fill_diagonal(alike, -np.inf)
    nearest = alike.argmax(1)
    texts = [str(word) for word in words]
    return float(np.mean([texts[place] == texts[other] for place, other in enumerate(nearest)]))
