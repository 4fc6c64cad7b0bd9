"""The TensorRT engine over a fake GPU, and where there is one over a real GPU."""
