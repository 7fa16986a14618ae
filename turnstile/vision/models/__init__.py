"""Network files: dlib's read, ONNX graphs written, cached, and run."""
