"""What a visit's measurements say of whether the face is alive. They only ever deny."""
