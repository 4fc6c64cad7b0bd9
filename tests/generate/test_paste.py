import numpy as np

from reenact.generate.paste import paste
from reenact.records import Frame, Generated, Patch
from tests.support.faces import posed_face, textured_frame


def generated(frame: Frame, *patches: Patch | None) -> Generated:
    return Generated(frame, tuple(posed_face(track_id=i) for i in range(len(patches))), patches=patches)


def shifted_patch(frame, x, y, width, height):
    """A patch that changes its middle and keeps its rim."""
    image = frame.image[y : y + height, x : x + width].copy()
    image[10:-10, 10:-10] ^= 255
    return Patch(image, (x, y))


def test_without_patches_the_frame_itself_comes_back():
    frame = textured_frame()
    assert paste(generated(frame)) is frame
    assert paste(generated(frame, None, None)) is frame


def test_every_pixel_outside_the_patch_is_the_inputs():
    frame = textured_frame()
    patch = shifted_patch(frame, 100, 50, 80, 60)
    result = paste(generated(frame, None, patch)).image
    np.testing.assert_array_equal(result[50:110, 100:180], patch.image)
    outside = np.ones(frame.size, bool)
    outside[50:110, 100:180] = False
    np.testing.assert_array_equal(result[outside], frame.image[outside])


def test_the_input_frame_is_not_written_to():
    frame = textured_frame()
    before = frame.image.copy()
    paste(generated(frame, shifted_patch(frame, 10, 10, 50, 50)))
    np.testing.assert_array_equal(frame.image, before)


def test_faces_side_by_side_keep_each_others_changes():
    frame = textured_frame()
    left, right = shifted_patch(frame, 100, 100, 100, 100), shifted_patch(frame, 180, 100, 100, 100)
    result = paste(generated(frame, left, right)).image
    np.testing.assert_array_equal(result[110:190, 110:180], left.image[10:90, 10:80])
    np.testing.assert_array_equal(result[110:190, 110:190], left.image[10:90, 10:90])
    np.testing.assert_array_equal(result[110:190, 190:270], right.image[10:90, 10:90])


def test_time_and_number_of_the_frame_are_kept():
    frame = textured_frame()
    result = paste(generated(frame, shifted_patch(frame, 10, 10, 50, 50)))
    assert (result.pts, result.index) == (frame.pts, frame.index)
