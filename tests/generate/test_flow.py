import numpy as np

from reenact.generate.geometry.flow import Nearest, extend, rasterise, scan, to_pixels

SQUARE = np.array([[2, 2], [12, 2], [12, 12], [2, 12]], np.float32)
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])
FLAT = np.zeros(4, np.float32)


def corners(values, triangles=TRIANGLES):
    """(k, m, 3) from values (n, k)."""
    return np.asarray(values, np.float32).T[:, triangles]


def test_a_linear_function_is_reproduced_inside_and_nothing_outside():
    linear = np.stack([3 * SQUARE[:, 0] - SQUARE[:, 1], 0.5 * SQUARE[:, 1] + 7], axis=1)
    field, covered = rasterise(SQUARE, TRIANGLES, corners(linear), FLAT, (16, 16))
    rows, columns = np.mgrid[0:16, 0:16]
    inside = (rows >= 2) & (rows <= 12) & (columns >= 2) & (columns <= 12)
    np.testing.assert_array_equal(covered, inside)
    np.testing.assert_allclose(field[0, inside], (3 * columns - rows)[inside], atol=1e-4)
    np.testing.assert_allclose(field[1, inside], (0.5 * rows + 7)[inside], atol=1e-4)
    assert not field[:, ~inside].any()


def test_the_nearest_triangle_wins_in_any_order():
    places = np.concatenate([SQUARE, SQUARE])
    values = np.repeat([[1.0], [2.0]], 4, axis=0)
    depth = np.repeat([5.0, -5.0], 4).astype(np.float32)
    for order in (np.r_[TRIANGLES, TRIANGLES + 4], np.r_[TRIANGLES + 4, TRIANGLES]):
        field, covered = rasterise(places, order, corners(values, order), depth, (16, 16))
        assert (field[0, covered] == 2).all()


def test_triangles_that_face_away_are_culled():
    flipped = TRIANGLES[:, [0, 2, 1]]
    _, covered = rasterise(SQUARE, flipped, corners(np.ones((4, 1)), flipped), FLAT, (16, 16))
    assert not covered.any()


def test_what_lies_outside_the_grid_is_cut_off():
    _, covered = rasterise(SQUARE - 7, TRIANGLES, corners(np.ones((4, 1))), FLAT, (4, 4))
    assert covered.all()
    _, covered = rasterise(SQUARE + 100, TRIANGLES, corners(np.ones((4, 1))), FLAT, (4, 4))
    assert not covered.any()


def test_two_triangles_may_disagree_at_a_shared_vertex():
    values = np.array([[[1.0] * 3, [9.0] * 3]], np.float32)
    field, _ = rasterise(SQUARE, TRIANGLES, values, FLAT, (16, 16))
    assert field[0, 3, 10] == 1 and field[0, 10, 3] == 9


def test_outside_the_mesh_the_flow_fades_to_exactly_nothing():
    covered = np.zeros((40, 40), bool)
    covered[15:25, 15:25] = True
    flow = np.stack([4 * covered, -2 * covered]).astype(np.float32)
    extended = extend(flow, Nearest.of(covered), reach=8)
    np.testing.assert_array_equal(extended[:, 20, 20], [4, -2])
    along = extended[0, 20, 24:]
    assert (np.diff(along) <= 1e-5).all() and along[0] == 4
    assert not extended[:, 20, 24 + 8 :].any() and not extended[:, :6].any()


def test_a_scan_tells_where_each_triangle_shows():
    places = np.concatenate([SQUARE, SQUARE]).astype(np.float32)
    both = np.concatenate([TRIANGLES, np.add(TRIANGLES, 4)])
    found = scan(places, both, np.repeat([1, 0], 4).astype(np.float32), (16, 16))
    nearer = np.arange(len(both)) >= len(TRIANGLES)
    np.testing.assert_array_equal(found.shows(nearer), found.covered)
    assert not found.shows(~nearer).any() and found.covered.any()


def test_triangles_beside_the_grid_cover_nothing():
    aside = np.add(SQUARE, [[40, 0]]).astype(np.float32)
    both = np.concatenate([TRIANGLES, np.add(TRIANGLES, 4)])
    found = scan(np.concatenate([SQUARE, aside]).astype(np.float32), both, np.zeros(8, np.float32), (16, 16))
    alone = scan(np.array(SQUARE, np.float32), np.array(TRIANGLES), np.zeros(4, np.float32), (16, 16))
    np.testing.assert_array_equal(found.covered, alone.covered)
    values = np.random.default_rng(0).random((2, len(both), 3)).astype(np.float32)
    np.testing.assert_array_equal(found.fill(values), alone.fill(values[:, : len(TRIANGLES)]))


def test_nearest_gives_the_nearest_value_and_its_distance():
    covered = np.zeros((9, 9), bool)
    covered[4, 1] = covered[4, 7] = True
    values = np.zeros((1, 9, 9), np.float32)
    values[0, 4, 1], values[0, 4, 7] = 1, 2
    nearest = Nearest.of(covered)
    field, distance = nearest(values), nearest.distance
    assert field[0, 4, 0] == 1 and field[0, 0, 8] == 2
    assert distance[4, 3] == 2


def test_cells_become_pixels_without_shift():
    rows, columns = np.mgrid[0:30, 0:20]
    # The value of a cell is the pixel coordinate of its centre, so inner pixels must read their own.
    across, down = (to_pixels((4 * cells + 1.5).astype(np.float32), 4) for cells in (columns, rows))
    y, x = np.mgrid[0:120, 0:80]
    inside = np.s_[2:-2, 2:-2]
    np.testing.assert_allclose(across[inside], x[inside], atol=1e-3)
    np.testing.assert_allclose(down[inside], y[inside], atol=1e-3)


def test_random_triangles_cover_what_a_point_in_triangle_test_says():
    random = np.random.default_rng(3)
    places = random.uniform(-3, 23, (60, 2)).astype(np.float32)
    triangles = np.arange(60).reshape(20, 3)
    _, covered = rasterise(
        places, triangles, np.ones((1, 20, 3), np.float32), np.zeros(60, np.float32), (20, 20)
    )
    expected = np.zeros((20, 20), bool)
    for a, b, c in places[triangles].astype(float):
        if (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0:
            for row, column in np.ndindex(20, 20):
                sides = [
                    (q[0] - p[0]) * (row - p[1]) - (q[1] - p[1]) * (column - p[0])
                    for p, q in ((a, b), (b, c), (c, a))
                ]
                expected[row, column] |= min(sides) >= 0
    assert (covered == expected).mean() > 0.99 and not (expected & ~covered).any()
