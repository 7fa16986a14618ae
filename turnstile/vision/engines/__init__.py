"""What a recognizer asks: a frame in, boxes and encodings out; accelerated, or `face_recognition` itself."""
